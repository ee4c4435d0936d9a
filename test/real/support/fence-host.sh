#!/bin/bash
# A fence for the private hosts of the tests: all processes of one share a process namespace.
#
#   fence-host.sh off FILE      kills whatever is left of the host
#   fence-host.sh verify FILE   prints "off" when neither its libvirtd nor a QEMU of it lives
#
# FILE holds the name of the namespace (pid:[…]), written while the host was on.
namespace=$(<"$2")
pids=$(find /proc/[0-9]*/ns/pid -maxdepth 0 -lname "${namespace//[\[\]]/?}" 2>/dev/null | cut -d/ -f3)
case $1 in
  off)
    kill -KILL $pids 2>/dev/null
    exit 0
    ;;
  verify)
    for pid in $pids; do
      command=$(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null)
      case $command in
        libvirtd* | *qemu-system*)
          echo "alive: $command"
          exit 0
          ;;
      esac
    done
    echo off
    ;;
esac

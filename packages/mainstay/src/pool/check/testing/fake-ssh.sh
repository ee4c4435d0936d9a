#!/bin/sh
# Stands in for ssh: how the "machine" behaves depends on its address.
for last; do before=${address:-}; address=${command:-}; command=$last; done
case $address in
  127.0.0.1) exec sh -c "$command" ;;
  127.0.0.2) echo "motd: welcome"; exec sh -c "$command" ;;
  127.0.0.3) echo "ssh: connect to host 127.0.0.3 port 22: Connection refused" >&2; exit 255 ;;
  127.0.0.4) echo "bash: broken" >&2; exit 1 ;;
  127.0.0.5) sleep 600 ;;
  127.0.0.6) head -c 10000000 /dev/zero ;;
  127.0.0.7) kill -KILL $$ ;;
  *) printf '%s ' "$@" ;;
esac

#!/bin/sh
# A hook of the file cloud that can be found and killed: its process writes down what it is to do, takes its time, and then does it.
set -eu
mkdir -p "$FILE_CLOUD/hooks"
echo "$1" >"$FILE_CLOUD/hooks/$$"
sleep "0.$(($$ % 4 + 1))"
sh "$(dirname "$0")/../../../packages/mainstay/src/pool/provider/command/testing/file-cloud.sh" "$@"
rm -f "$FILE_CLOUD/hooks/$$"

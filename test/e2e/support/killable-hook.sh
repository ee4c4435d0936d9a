#!/bin/sh
# A hook of the file cloud that can be found and killed: its process writes itself down, takes its time, and then does it.
set -eu
mkdir -p "$FILE_CLOUD/hooks"
: >"$FILE_CLOUD/hooks/$$"
sleep "0.$(($$ % 4 + 1))"
sh "$(dirname "$0")/../../../packages/mainstay/src/pool/provider/command/testing/file-cloud.sh" "$@"
rm -f "$FILE_CLOUD/hooks/$$"

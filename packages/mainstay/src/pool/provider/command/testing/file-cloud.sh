#!/bin/sh
# A cloud whose machines are folders: the hooks of a command provider in their smallest form. FILE_CLOUD is the folder.
#   machines/<name>/{ip,state,tags}   resources/<id>   next-create: what the next creation does   down: no answers
set -eu
action=$1
name=${MAINSTAY_VM_NAME:-}
here=$FILE_CLOUD/machines/$name

fail() {
  printf '{"error":"%s","class":"%s"}\n' "$1" "$2"
  exit 1
}

describe() {
  tags=$(cat "$1/tags" 2>/dev/null) || return 0
  printf '{"vm_name":"%s","vm_ip":"%s","state":"%s","tags":%s}' \
    "$(basename "$1")" "$(cat "$1/ip")" "$(cat "$1/state")" "$tags"
}

make() {
  number=$(printf %s "$name" | cksum | cut -d' ' -f1)
  ip=127.$((number / 65536 % 100 + 1)).$((number / 256 % 256)).$((number % 256))
  temporary=$(mktemp -d "$FILE_CLOUD/new.XXXXXX")
  echo "$ip" >"$temporary/ip"
  echo running >"$temporary/state"
  echo "$MAINSTAY_VM_TAGS" >"$temporary/tags"
  mv -T "$temporary" "$here"
}

if [ -e "$FILE_CLOUD/down" ]; then
  echo 'the cloud does not answer' >&2
  exit 1
fi

case $action in
  create)
    order=$(cat "$FILE_CLOUD/next-create" 2>/dev/null || true)
    rm -f "$FILE_CLOUD/next-create"
    case $order in
      '') ;;
      half) make; echo "IP=$ip"; echo "vm_name=$name"; exit 1 ;;
      *) fail "a $order error was ordered" "$order" ;;
    esac
    make
    [ -z "${FILE_CLOUD_VOLUMES:-}" ] || printf '{"kind":"volume","id":"%s-root","name":"%s","tags":%s}' \
      "$name" "$name" "$MAINSTAY_VM_TAGS" >"$FILE_CLOUD/resources/$name-root"
    echo "IP=$ip"
    echo "vm_name=$name"
    ;;
  destroy) rm -rf "$here" "$FILE_CLOUD/resources/$name-root" ;;
  describe)
    answer=$(describe "$here")
    echo "${answer:-null}"
    ;;
  list)
    comma=
    printf '['
    for each in "$FILE_CLOUD"/machines/*; do
      answer=$(describe "$each")
      [ -n "$answer" ] || continue
      printf '%s%s' "$comma" "$answer"
      comma=,
    done
    echo ']'
    ;;
  start | reset) echo running >"$here/state" ;;
  stop) echo stopped >"$here/state" ;;
  quota) echo "{\"machines\":{\"used\":$(ls "$FILE_CLOUD/machines" | wc -l),\"limit\":100}}" ;;
  list-resources)
    comma=
    printf '['
    for each in "$FILE_CLOUD"/resources/*; do
      [ -e "$each" ] || continue
      printf '%s%s' "$comma" "$(cat "$each")"
      comma=,
    done
    echo ']'
    ;;
  destroy-resource) rm -f "$FILE_CLOUD/resources/$MAINSTAY_RESOURCE_ID" ;;
  *) fail "unknown action $action" invalid ;;
esac

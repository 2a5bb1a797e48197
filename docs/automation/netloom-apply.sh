#!/usr/bin/env bash
# Makes a host's networks, reserved addresses and sandboxes what a JSON file says, with nothing but curl and jq.
#
#   netloom-apply.sh plan FILE       what would change; changes nothing
#   netloom-apply.sh apply FILE      makes it so: a line for each object, `made`, `changed` or `unchanged`; exits with 3 where the kernel
#                                    does not have something yet (`pending`), and with 1 at the first refusal
#   netloom-apply.sh destroy FILE    removes every object of the file
#   netloom-apply.sh list COLLECTION every item of a list (networks, sandboxes, leases), page after page
#
# FILE: {"networks": {NAME: SPEC}, "leases": {"NETWORK/KEY": SPEC}, "sandboxes": {NAME: SPEC}}, where a SPEC is what PUT takes.
# As root over the unix socket (NETLOOM_SOCKET, /run/netloom/netloom.sock); or over TCP with NETLOOM_URL and NETLOOM_TOKEN.
set -euo pipefail

answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

if [[ -n "${NETLOOM_URL:-}" ]]; then
  api=${NETLOOM_URL%/}/api/v1 to=()
else
  api=http://localhost/api/v1 to=(--unix-socket "${NETLOOM_SOCKET:-/run/netloom/netloom.sock}")
fi

# call METHOD PATH [BODY PRECONDITION]: the body of the answer goes into $answer, its status into $status, its tag into $tag. Sent again while the
# service says that this helps.
call() {
  local body=() said
  [[ -z "${3:-}" ]] || body=(-H 'Content-Type: application/json' -H "$4" --data-binary "$3")
  for _ in 1 2 3 4 5; do
    # The token goes by a descriptor: arguments can be read by everybody on the host.
    said=$(curl -sS "${to[@]}" -X "$1" -o "$answer" -w '%{http_code} %header{etag}\n' "${body[@]}" \
      -H @<([[ -z "${NETLOOM_TOKEN:-}" ]] || echo "Authorization: Bearer $NETLOOM_TOKEN") "$api/$2")
    read -r status tag <<<"$said"
    [[ $status -ge 400 && $(jq -r '.retryable // false' "$answer") == true ]] || return 0
    sleep 1
  done
}

# Whether the object was not found. Any other 404 (a wrong URL, a proxy's) is a failure.
gone() { [[ $status == 404 && $(jq -r '.code // empty' "$answer") == resource-not-found ]]; }

# fail PATH: tells the problem, each field by its JSON Pointer.
fail() {
  jq -r --arg path "$1" --arg status "$status" '"\($path): \($status) \(.code): \(.detail)",
    (.errors // [] | .[] | "  \(.pointer): \(.message)\(if .hint then " (\(.hint))" else "" end)"),
    (.blockers // [] | .[] | "  in the way: \(.kind) \(.name)")' "$answer" >&2
  exit 1
}

# Lines of a path and a spec; networks first.
objects() {
  jq -r '(.networks // {} | to_entries[] | ["networks/\(.key)", .value]),
    (.leases // {} | to_entries[] | .key as $key | ($key | index("/")) as $at | ["networks/\($key[:$at])/leases/\($key[$at + 1:])", .value]),
    (.sandboxes // {} | to_entries[] | ["sandboxes/\(.key)", .value]) | "\(.[0])\t\(.[1] | tojson)"' "$1"
}

# put PATH SPEC QUERY: an object is changed when its spec_revision is. It is written as it was seen, or not at all: not over what somebody wrote meanwhile.
put() {
  local before=none after seen='If-None-Match: *'
  call GET "$1"
  if [[ $status == 200 ]]; then before=$(jq .spec_revision "$answer") seen="If-Match: $tag"; elif ! gone; then fail "$1"; fi
  call PUT "$1?$3" "$2" "$seen"
  case $status in 200 | 201 | 202) ;; *) fail "$1" ;; esac
  after=$(jq '(.object // .).spec_revision' "$answer")
  case $before in none) echo "made $1" ;; "$after") echo "unchanged $1" ;; *) echo "changed $1" ;; esac
  if [[ $status == 202 ]]; then echo "pending $1" && pending=3; fi
  jq -r '.plan.operations // [] | .[] | "  \(.summary)"' "$answer"
}

# plan PATH SPEC: of what uses a network that is not there yet the service can say nothing more.
plan() {
  local network
  for network in $(jq -r '.networks // {} | keys[]' <<<"$2") $([[ $1 != */leases/* ]] || cut -d/ -f2 <<<"$1"); do
    call GET "networks/$network"
    if gone && jq -e --arg network "$network" '.networks[$network]' "$file" >/dev/null; then
      call GET "$1"
      gone && echo "made $1 (once network $network is)" || echo "changed $1 (once network $network is made)"
      return
    fi
  done
  put "$1" "$2" dry_run=true
}

remove() {
  call DELETE "$1"
  if [[ $status == 204 ]]; then echo "removed $1"; elif [[ $status == 202 ]]; then echo "pending $1" && pending=3; elif gone; then echo "absent $1"; else fail "$1"; fi
}

list() {
  local token=
  while
    call GET "$1?limit=1000${token:+&page_token=$token}"
    [[ $status == 200 ]] || fail "$1"
    jq -c '.items[]' "$answer"
    token=$(jq -r '.next_page_token // empty | @uri' "$answer")
    [[ -n $token ]]
  do :; done
}

verb=${1:-} file=${2:-}
case "$verb" in
  apply | plan) order=cat ;;
  destroy) order=tac ;;
  list)
    list "$file"
    exit
    ;;
  *)
    sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2
    exit 2
    ;;
esac

# A misspelt section would be an empty one.
unknown=$(jq -r '(keys - ["leases", "networks", "sandboxes"]) | join(", ")' "$file")
[[ -z $unknown ]] || { echo "$file: there are networks, leases and sandboxes, not $unknown" >&2; exit 1; }

objects "$file" | $order | {
  pending=0
  while IFS=$'\t' read -r path spec; do
    case "$verb" in
      apply) put "$path" "$spec" wait=30s ;;
      plan) plan "$path" "$spec" ;;
      destroy) remove "$path" ;;
    esac
  done
  exit "$pending"
}

#!/usr/bin/env bash
# Installs Debian's rabbitmq-server for the tests, where it is missing and that is possible. The tests
# run a private node of their own; the system's broker is not started. Never fails: without RabbitMQ the
# tests say loudly that half of the broker suite was not run.
set -uo pipefail

SERVER=/usr/lib/rabbitmq/bin/rabbitmq-server
POLICY=/usr/sbin/policy-rc.d

[ -e "$SERVER" ] && exit 0

say() { printf '%s\n' "setup: $*" >&2; }

if ! command -v apt-get >/dev/null; then
  say "rabbitmq-server is not installed, and this is neither Debian nor Ubuntu; going on without it"
  exit 0
fi
if [ "$(id -u)" -ne 0 ]; then
  if sudo -n true 2>/dev/null; then
    exec sudo -n "$0"
  fi
  say "rabbitmq-server is not installed; going on without it. To test on it: sudo apt-get install rabbitmq-server"
  exit 0
fi

say "installing rabbitmq-server (its service is not started)"
if [ ! -e "$POLICY" ]; then
  # What Debian asks before it starts a service: 101 means no (invoke-rc.d(8)).
  trap 'rm -f "$POLICY"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$POLICY"
  chmod 755 "$POLICY"
fi
export DEBIAN_FRONTEND=noninteractive
if apt-get update -qq && apt-get install -y -qq --no-install-recommends rabbitmq-server >/dev/null; then
  say "rabbitmq-server is installed"
else
  say "rabbitmq-server could not be installed; going on without it"
fi

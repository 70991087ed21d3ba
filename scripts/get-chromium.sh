#!/usr/bin/env bash
# Finds a Chromium for the browser tests, or installs one: Debian's package when root, else Playwright's own.
# Prints nothing when one is there. Use: scripts/get-chromium.sh
set -euo pipefail
for name in chromium chromium-browser google-chrome google-chrome-stable; do
  if command -v "$name" >/dev/null 2>&1; then exit 0; fi
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "Installing Chromium (Debian's package) for the browser tests ..."
  if apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes chromium >/dev/null; then exit 0; fi
fi
echo "Installing Playwright's Chromium for the browser tests ..."
.venv/bin/playwright install chromium || echo "No Chromium could be installed: browser tests are skipped (in CI they fail)." >&2

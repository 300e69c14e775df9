#!/bin/sh
# A VS Code in the browser, for the tests of the extension: code-server from npm, and of it only the editor's own server, here in
# node_modules (360 MB, about a minute). Its parts in C++ are built against the headers of the node that is here, if it has any.
set -e
cd "$(dirname "$0")"
[ -f node_modules/whole ] && exit 0
npm install --no-save --ignore-scripts --no-audit --no-fund --no-package-lock --silent code-server@4.96.4
cd node_modules/code-server/lib/vscode
rm -f npm-shrinkwrap.json # it fetches one package from GitHub that npm has too
npm install --omit=dev --ignore-scripts --no-audit --no-fund --no-package-lock --legacy-peer-deps --silent
prefix=$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")
if [ -f "$prefix/include/node/node.h" ]; then export npm_config_nodedir="$prefix"; fi
for part in @vscode/spdlog node-pty native-watchdog; do npm rebuild --silent "$part"; done
cd extensions
npm install --omit=dev --ignore-scripts --no-audit --no-fund --no-package-lock --silent
touch ../../../../whole

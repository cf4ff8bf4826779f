#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Print the C file with the table of web assets that server/api/assets.h declares: embed.sh FILE...
#
# Each file is there twice, as it is and packed by gzip, so that the node never packs at run time. The output depends on
# the contents and the order of the files only: gzip -n leaves out name and time, and the ETag is a hash of the content.
set -eu

content_type() {
    case $1 in
    *.css)  echo 'text/css; charset=utf-8' ;;
    *.html) echo 'text/html; charset=utf-8' ;;
    *.ico)  echo 'image/x-icon' ;;
    *.js)   echo 'text/javascript; charset=utf-8' ;;
    *.json) echo 'application/json' ;;
    *.svg)  echo 'image/svg+xml' ;;
    *.wasm) echo 'application/wasm' ;;
    *)      echo "embed.sh: no content type for $1" >&2; exit 1 ;;
    esac
}

# array NAME: standard input as an array of bytes.
array() {
    printf 'static const unsigned char %s[] = {\n' "$1"
    od -An -v -tu1 | sed -E 's/ +([0-9]+)/\1,/g'
    printf '};\n'
}

printf '/* Made by web_ui/embed.sh. */\n#include "api/assets.h"\n\n'

n=0
for file; do
    array "raw_$n" <"$file"
    gzip -9n <"$file" | array "gz_$n"
    n=$((n + 1))
done

printf '\nconst struct asset assets[] = {\n'
n=0
for file; do
    type=$(content_type "$file")
    hash=$(sha256sum <"$file" | cut -c 1-16)
    printf '    {"/%s", "%s", "\\"%s\\"", gz_%d, sizeof gz_%d, raw_%d, sizeof raw_%d},\n' \
        "${file##*/}" "$type" "$hash" $n $n $n $n
    n=$((n + 1))
done
printf '};\n\nconst unsigned assets_count = %d;\n' $n

#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Run one test program for make check: run_one.sh PROGRAM. One that hangs is ended and counts as failed.
#
# TEST_SECONDS_MAX  the limit of each program
# SIM_FLAGS         arguments of the simulator, see tests/sim/main.c
set -eu

# shellcheck disable=SC2154,SC2086 # make check sets srcdir; SIM_FLAGS are several words
case $1 in
*/fuzz_*) set -- "$1" "$srcdir/tests/fuzz/corpus/${1##*/fuzz_}" ;;
*/sim)    set -- "$1" ${SIM_FLAGS:-} ;;
esac
exec timeout --kill-after=5 "${TEST_SECONDS_MAX:-300}" "$@"

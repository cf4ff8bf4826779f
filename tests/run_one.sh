#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Run one test program for make check: run_one.sh PROGRAM. One that hangs is ended and counts as failed.
#
# TEST_SECONDS_MAX    the limit of each program
# SIM_FLAGS           arguments of the simulator of the core, see tests/sim/main.c
# SIM_REGISTRY_FLAGS  and of that of the cluster, see tests/sim_registry/main.c
set -eu

# shellcheck disable=SC2154,SC2086 # make check sets srcdir; the flags are several words
case $1 in
*/fuzz_*) set -- "$1" "$srcdir/tests/fuzz/corpus/${1##*/fuzz_}" ;;
*/sim) set -- "$1" ${SIM_FLAGS:-} ;;
*/sim_registry) set -- "$1" ${SIM_REGISTRY_FLAGS:-} ;;
esac
exec timeout --kill-after=5 "${TEST_SECONDS_MAX:-300}" "$@"

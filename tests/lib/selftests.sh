# SPDX-License-Identifier: GPL-2.0
# The kselftests of the series: which there are, building them, and running one in a guest.
# shellcheck shell=bash

SUITE=$WORK/selftests
NET=tools/testing/selftests/net/udp_gso

# makefile_names VARIABLE...: the names that these variables have in the Makefile of the selftests
makefile_names() {
	# shellcheck disable=SC2016 # make expands it
	make -s --no-print-directory -C "$WORK/series/$NET" OUTPUT="$SUITE/net/udp_gso" \
		--eval "udpgso-list: ; @printf '%s\n' $(printf '$(%s) ' "$@")" udpgso-list
}

# scripts_of_series: the test scripts
scripts_of_series() { makefile_names TEST_PROGS; }

# build_selftests: with the headers of the series, into $SUITE, as if installed
build_selftests() {
	"$TOP/scripts/build" series headers
	compile_selftests "$WORK/build/series/usr/include"
}

# compile_selftests HEADERS [ARG...]: the arguments go to make.
compile_selftests() {
	local headers=$1 programs
	shift
	rm -rf "$SUITE"
	mkdir -p "$SUITE/net/udp_gso"
	mapfile -t programs < <(makefile_names TEST_GEN_FILES)
	((${#programs[@]})) || die "there is no program in $NET/Makefile"
	logged selftests make -C "$WORK/series/$NET" OUTPUT="$SUITE/net/udp_gso" USERCFLAGS=-Werror \
		KHDR_INCLUDES="-isystem $headers" "$@" "${programs[@]}"
	cp "$WORK/series/$NET"/*.sh "$SUITE/net/udp_gso/"
	cp -r "$WORK/series/$NET"/../{lib.sh,lib} "$SUITE/net/"
	cp -r "$WORK/series/$NET/../../kselftest" "$SUITE/"
	makefile_names TEST_PROGS >"$SUITE/scripts"
	[[ -s $SUITE/scripts ]] || die "there is no script in $NET/Makefile"
}

# selftest_command SCRIPT [FILTER]: the command that runs the script, or only the cases with FILTER in their names
selftest_command() {
	local command=./$1
	# The first argument of these two is the name of the program.
	[[ $1 != udpg[sr]o.sh ]] || command+=" ${1%.sh}"
	echo "$command${2:+ $(printf %q "$2")}"
}

# guest KERNEL COMMAND [OPTION...]: runs COMMAND in that kernel's guest, in the folder of the selftests. The options are those
# of vm/run. One processor keeps the order of packets; the tests of concurrent senders need two.
guest() {
	local kernel=$1 command=$2 cpus=1
	shift 2
	[[ $command != *wakeup.sh && $command != *bounded.sh ]] || cpus=2
	cd "$SUITE/net/udp_gso" || return
	"$TOP/vm/run" --kernel "$kernel" --root host --smp "$cpus" --timeout "${GUEST_TIMEOUT:-900}" "$@" -- "$command"
}

# panics KERNEL SCRIPT: does tests/expect/panics list it?
panics() { grep -q "^$1: $2 #" "$TOP/tests/expect/panics"; }

# guest_panics KERNEL COMMAND [OPTION...]: as guest, but its KTAP is one test, which passes if the kernel panics after COMMAND
# has reported a result.
guest_panics() {
	local rc=0 out
	out=$(guest "$@") || rc=$?
	awk '{ print "# " $0 }' <<<"$out"
	printf 'TAP version 13\n1..1\n'
	if ((rc == 125)) && grep -qE '^(not )?ok 1 ' <<<"$out"; then
		echo 'ok 1 panics'
	else
		echo "not ok 1 panics: status $rc"
		return 1
	fi
}

# SPDX-License-Identifier: GPL-2.0
# Functions that list and build the kselftests of the series, and run one of them in a guest.
# shellcheck shell=bash

SUITE=$WORK/selftests
NET=tools/testing/selftests/net/udp_gso

# makefile_names VARIABLE: prints the names in this variable of the Makefile of the selftests. The Makefile in linux/ is
# used if there is no tree.
makefile_names() {
	local file=$WORK/series/$NET/Makefile
	[[ -e $file ]] || file=$TOP/linux/$NET/Makefile
	# Without the include, which prefixes the names of programs with OUTPUT
	sed '/^include/d' "$file" | make -s -f - --eval "udpgso-list: ; @printf '%s\n' \$($1)" udpgso-list
}

# scripts_of_series: prints the names of the test scripts
scripts_of_series() { makefile_names TEST_PROGS; }

# build_selftests: builds the selftests with the headers of the series. $SUITE gets the layout of installed selftests.
build_selftests() {
	need gcc libc6-dev make iproute2 ethtool nftables
	"$TOP/scripts/build" series headers
	compile_selftests "$WORK/build/series/usr/include"
}

# compile_selftests HEADERS [ARG...]: builds the selftests with these headers. The arguments are passed to make.
compile_selftests() {
	local headers=$1 programs
	shift
	rm -rf "$SUITE"
	mkdir -p "$SUITE/net/udp_gso"
	mapfile -t programs < <(makefile_names TEST_GEN_FILES)
	((${#programs[@]})) || die "there is no program in $NET/Makefile"
	programs=("${programs[@]/#/"$SUITE/net/udp_gso/"}")
	logged selftests make -C "$WORK/series/$NET" OUTPUT="$SUITE/net/udp_gso" USERCFLAGS=-Werror \
		KHDR_INCLUDES="-isystem $headers" "$@" "${programs[@]}"
	cp "$WORK/series/$NET"/*.sh "$SUITE/net/udp_gso/"
	cp -r "$WORK/series/$NET"/../{lib.sh,lib} "$SUITE/net/"
	cp -r "$WORK/series/$NET/../../kselftest" "$SUITE/"
	makefile_names TEST_PROGS >"$SUITE/scripts"
	[[ -s $SUITE/scripts ]] || die "there is no script in $NET/Makefile"
}

# selftest_command SCRIPT [FILTER]: prints the command that runs the script, or only its cases with FILTER in their
# names
selftest_command() {
	local command=./$1
	# The first argument of these two is the name of the program.
	[[ $1 != udpg[sr]o.sh ]] || command+=" ${1%.sh}"
	echo "$command${2:+ $(printf %q "$2")}"
}

# guest KERNEL COMMAND [OPTION...]: runs COMMAND in a guest with that kernel, in the folder of the selftests. The
# options are those of vm/run. The guest has one processor, which keeps packets in order. Tests of concurrent senders
# get two processors.
guest() {
	local kernel=$1 command=$2 cpus=1
	shift 2
	[[ $command != *wakeup.sh && $command != *bounded.sh ]] || cpus=2
	cd "$SUITE/net/udp_gso" || return
	"$TOP/vm/run" --kernel "$kernel" --root host --smp "$cpus" --timeout "${GUEST_TIMEOUT:-900}" "$@" -- "$command"
}

# panics KERNEL SCRIPT: succeeds if a list `panics' has this script for this kernel
panics() { grep -qs "^$1: $2 #" "$TOP/tests/expect/panics" "$TARGET_DIR/expect/panics"; }

# guest_panics KERNEL COMMAND [OPTION...]: runs COMMAND as guest does. The KTAP is one test, which passes if the kernel
# panics after COMMAND has reported a result.
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

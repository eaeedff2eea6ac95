# SPDX-License-Identifier: GPL-2.0
# Functions for the steps of vm/run, which sources this file and sets the variables.
# shellcheck shell=bash disable=SC2054,SC2154

# add_file SRC[:DEST]: adds a file, and the shared libraries of a program.
add_file() {
	local src=${1%%:*} dest=${1#*:} lib
	[[ -f $src ]] || die "--file: no file $src"
	install -D "$src" "$tmp/root/$dest"
	ldd "$src" 2>/dev/null | grep -o '/[^ ]*' | while read -r lib; do
		[[ -e $tmp/root/$lib ]] || install -D "$lib" "$tmp/root/$lib"
	done || true
}

# pack DIRECTORY
pack() {
	(cd "$1" && find . -mindepth 1 | busybox cpio -o -H newc 2>"$tmp/cpio") ||
		die "cannot pack the initramfs in $tmp: $(tail -n 1 "$tmp/cpio")"
}

# pack_initramfs FILE COMMAND...: packs busybox, the scripts of the guest, and the files that the scripts read.
pack_initramfs() {
	local to=$1 vm=$tmp/root/vm f
	shift
	mkdir -p "$vm" "$tmp"/root/{bin,dev,etc,proc,root,run,sbin,sys,tmp,usr}
	install "$TOP/vm/guest/init" "$tmp/root/init"
	install "$TOP/vm/guest/main" "$vm/main"
	install "${UDPGSO_BUSYBOX:-$(command -v busybox)}" "$vm/busybox"
	printf '%s\n' "$*" >"$vm/command"
	printf '%s\n' "$name" >"$vm/hostname"
	{
		echo result
		if [[ $shell ]]; then echo tty; else echo output; fi
		printf '%s\n' "${extra[@]}" | sed -n 's/^virtserialport,.*name=\([^,]*\).*/\1/p'
	} >"$vm/ports"
	printf '%s\n' / >"$vm/directory"
	if [[ $root == host ]]; then
		printf '%s\n' "$PWD" >"$vm/directory"
		: >"$vm/host-root"
	fi
	[[ -z $shell ]] ||
		echo "$(stty size 2>/dev/null || echo 24 80) ${TERM:-vt100}" >"$vm/terminal"
	for f in "${files[@]}"; do add_file "$f"; done
	for f in "${adds[@]}"; do
		[[ -e $f ]] || die "--initramfs: no $f"
		[[ ! -d $f ]] || cp -a "$f/." "$tmp/root/"
	done
	pack "$tmp/root" >"$to"
	for f in "${adds[@]}"; do
		[[ -d $f ]] || cat "$f" >>"$to"
	done
}

# once_per_boot NAME COMMAND...: prints the output of COMMAND, which runs only once per boot of the host.
once_per_boot() {
	local file=$WORK/host-$1 host value
	host=$(</proc/sys/kernel/random/boot_id)
	shift
	if [[ ! -e $file || $(<"$file") != "$host "* ]]; then
		value=$("$@")
		echo "$host $value" >"$file.$$"
		mv "$file.$$" "$file"
	fi
	cut -d ' ' -f 2 "$file"
}

# /dev/kvm may exist without working. Therefore boot a guest with KVM as a test.
accelerator() {
	if [[ -r /dev/kvm && -w /dev/kvm ]] &&
	   UDPGSO_ACCEL=kvm "$TOP/vm/run" --kernel "$kernel" --flavour "$flavour" \
			--root initramfs --timeout 20 -- true >/dev/null 2>&1; then
		echo kvm
	else
		echo tcg
	fi
}

tsc_khz() {
	need gcc libc6-dev >&2
	gcc -O2 -o "$tmp/tsc-khz" "$TOP/vm/tsc-khz.c" >&2 && "$tmp/tsc-khz"
}

qemu_arguments() {
	local accel line=$kernel_line
	line+=' panic=-1 panic_on_warn=1 oops=panic rcupdate.rcu_cpu_stall_timeout=60'
	line+=' fb_tunnels=none dummy.numdummies=0 ifb.numifbs=0'
	args=(-nodefaults -no-user-config -display none -no-reboot
		-m "$mem" -smp "$smp,sockets=$smp"
		-kernel "$image" -initrd "$tmp/initramfs"
		-chardev "file,id=console,path=$console" -serial chardev:console
		-device "$serial_bus"
		-chardev "file,id=result,path=$tmp/result"
		-device virtserialport,chardev=result,name=result)
	if [[ $shell ]]; then
		args+=(-chardev stdio,id=tty,signal=off -device virtconsole,chardev=tty,name=tty)
	else
		args+=(-chardev "file,id=output,path=$tmp/output"
			-device virtserialport,chardev=output,name=output)
	fi
	if [[ $root == host ]]; then
		args+=(-fsdev local,id=host,path=/,security_model=none,readonly=on,multidevs=remap
			-device virtio-9p-pci,fsdev=host,mount_tag=host)
	fi
	accel=${UDPGSO_ACCEL-}
	[[ -z $machine ]] || accel=other
	[[ -z $icount ]] || accel=icount
	[[ $accel ]] || accel=$(once_per_boot accelerator accelerator)
	# With random addresses, QEMU translates the code of the libraries again for each process: ip and tc take twice as long.
	line+=' norandmaps'
	case $accel in
	icount)	# PAUSE is slow: without these arguments, the calibration of the timers takes 10 s.
		line+=' nolapic_timer tsc=reliable tsc_early_khz=1000000'
		args+=(-accel tcg -icount 'shift=0,sleep=off' -cpu max,-erms,-fsrm
			-rtc base=2026-01-01,clock=vm) ;;
	other)
		;;
	kvm)
		args+=(-accel kvm -cpu host) ;;
	*)
		line+=" tsc=reliable tsc_early_khz=$(once_per_boot tsc-khz tsc_khz)"
		args+=(-accel "tcg${UDPGSO_TCG:+,$UDPGSO_TCG}" -cpu max) ;;
	esac
	args+=(-append "$line $append" "${extra[@]}")
}

# The guest's output goes to a file, which tail prints. With a pipe and a slow reader, QEMU would lose output when it
# exits. QEMU is killed when this script ends in any way, and tail ends with QEMU.
start_qemu() {
	local qemu_cmd=("${emulator[@]}" "${args[@]}")
	if [[ $shell ]]; then
		setpriv --pdeathsig TERM "${qemu_cmd[@]}" <&0 2>"$tmp/qemu" &
	else
		: >"$tmp/output"
		setpriv --pdeathsig TERM timeout -k 5 "$limit" "${qemu_cmd[@]}" \
			</dev/null 2>"$tmp/qemu" >/dev/null &
	fi
	# shellcheck disable=SC2034 # used by vm/run
	qemu=$!
	[[ $shell ]] || tail -c +1 -s 0.1 -f --pid="$qemu" "$tmp/output" &
}

# finish: exits with the status of the command, or with an error of QEMU, the boot or the console
finish() {
	local bad last
	bad=$(tr -d '\r' <"$console" | grep -E -m 1 -f <(printf '%s\n' "$patterns") || true)
	last=$(tr -d '\r' <"$console" | grep . | tail -n 1 || true)
	if ((rc == 124 || rc == 137)); then
		fail 124 "$name: timeout after $limit s${bad:+; bad line: $bad}; last line: $last"
	elif [[ $bad ]]; then
		fail 125 "$name: bad line: $bad"
	elif ((rc)); then
		fail 125 "$name: QEMU failed with status $rc: $(tail -n 1 "$tmp/qemu")"
	elif [[ -z $last ]]; then
		fail 125 "$name: $image does not boot: no line on its console"
	elif ! grep -qxE 'exit [0-9]+' "$tmp/result" 2>/dev/null; then
		fail 125 "$name: the guest stopped before it returned a status; last line: $last"
	fi
	exit "$(cut -d ' ' -f 2 "$tmp/result")"
}

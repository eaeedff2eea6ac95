# SPDX-License-Identifier: GPL-2.0
# linux/: the kernel files of the series, written for reading. Needs scripts/series-lib.sh.
# shellcheck shell=bash

LINUX=$TOP/linux

linux_readme() {
	cat <<-'EOT'
	<!-- SPDX-License-Identifier: GPL-2.0 -->
	<!-- Written by `scripts/series export`. -->
	# The kernel code of the series, for reading

	`scripts/series export` writes this directory from the patches. Do not edit it: the next export replaces it.

	* Each file that the series adds to the kernel is here as a whole, at the path that it has in the kernel tree.
	* `changes.diff` is the change that the series makes to all other files of the kernel: `git diff base series`.

	The patches in `../patches/` are the source. There are two places to edit. Run the commands in the top directory of
	this repository.

	To change the kernel tree, which is the usual case:

	```sh
	make prep			# makes work/series, if it does not exist yet
	cd work/series			# edit, then commit, or amend commits with `git rebase -i base`
	cd ../.. && scripts/series export	# writes patches/ and linux/
	```

	To change a patch file, for example a line of its message:

	```sh
	scripts/series edit && scripts/series export
	```

	`edit` applies the patch files to `work/series`. It stops, and changes nothing, if a patch does not apply or if
	`work/series` has changes that are not exported. If you add lines to a hunk or remove lines from it, also correct
	the numbers in its `@@` line. It is easier to make such a change in the kernel tree.

	Commit `patches/` and `linux/` together. `checks/run linux` compares this directory with `work/series`.
	EOT
}

# write_linux COMMIT DIR: writes the files that base..COMMIT adds, the changes to all other files, and the README.
write_linux() {
	local commit=$1 dir=$2 added
	mkdir -p "$dir"
	mapfile -d '' -t added < <(kgit diff -z --no-renames --name-only --diff-filter=A base "$commit")
	if ((${#added[@]})); then
		kgit -c tar.umask=0022 archive "$commit" -- "${added[@]}" | tar -x -C "$dir"
	fi
	kgit "${DIFF_SETTINGS[@]}" diff --no-ext-diff --no-textconv --no-renames --full-index --diff-filter=a \
		base "$commit" >"$dir/changes.diff"
	linux_readme >"$dir/README.md"
}

# Replaces linux/. The old files are moved to work/linux.old, in case somebody has edited them.
export_linux() {
	write_linux series "$TMP/linux"
	! diff -r "$LINUX" "$TMP/linux" >/dev/null 2>&1 || return 0
	rm -rf "$WORK/linux.old"
	[[ ! -e $LINUX ]] || mv "$LINUX" "$WORK/linux.old"
	cp -r "$TMP/linux" "$LINUX"
	say "series: files written to $LINUX"
}

check_linux() {
	[[ -d $LINUX ]] || die "linux/ is missing: run \`scripts/series export'"
	has series || die "branch series is missing: run \`scripts/series edit'"
	make_tmp
	write_linux series "$TMP/linux"
	diff -rq "$LINUX" "$TMP/linux" >"$LOG" 2>&1 ||
		die "linux/ differs from work/series: $(head -n 1 "$LOG" | sed "s,$TMP/,the series: ,; s,$TOP/,,");" \
			"edit work/series and run \`scripts/series export'"
	say "linux/: $(find "$TMP/linux" -type f | wc -l) files, byte-identical to the series"
}

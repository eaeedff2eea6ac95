# SPDX-License-Identifier: GPL-2.0
# The patches of a target other than 6.12: the patches in patches/, and an override for each patch that differs, in
# targets/TARGET/patches/TOPIC/SUBJECT.patch (the name of the patch without its number). An empty override drops the
# patch. targets/TARGET/patches/originals has a hash of the patch that each override was made from. Needs
# scripts/series-lib.sh.
# shellcheck shell=bash

OVERRIDES=$TARGET_DIR/patches
ORIGINALS=$OVERRIDES/originals

# override_name TOPIC/NNNN-SUBJECT.patch: prints TOPIC/SUBJECT.patch
override_name() { sed -E 's,/[0-9]+-,/,' <<<"$1"; }

# original_hash FILE: prints a hash of the message and the changes, without line numbers.
original_hash() { sed -E '/^index /d; s/^@@ .* @@/@@/' "$1" | sha256sum | cut -c 1-16; }

# target_patch TOPIC/FILE: prints the file to apply; prints nothing if the target drops the patch.
target_patch() {
	local name own
	name=$(override_name "$1")
	own=$OVERRIDES/$name
	if [[ ! -e $own ]]; then
		echo "$PATCHES/$1"
		return
	fi
	grep -qxF "$(original_hash "$PATCHES/$1") $name" "$ORIGINALS" 2>/dev/null ||
		die "patches/$1 has changed since targets/$TARGET/patches/$name was made from it: compare the two;" \
			"port the change in a worktree of the series, then \`TARGET=$TARGET scripts/series export', or accept it" \
			"with \`TARGET=$TARGET scripts/series accept $name'"
	[[ ! -s $own ]] || echo "$own"
}

# accept TOPIC/SUBJECT.patch: records that the override is up to date with its original.
accept() {
	local file
	[[ ${1-} && -e $OVERRIDES/$1 ]] || die "accept needs one of: $(cd "$OVERRIDES" && find . -name '*.patch' | cut -c 3- | xargs)"
	file=$(find "$PATCHES/${1%/*}" -name "*-${1##*/}" | head -n 1)
	[[ $file ]] || die "there is no patches/${1%/*}/NNNN-${1##*/}"
	sed -i "\\, $1\$,d" "$ORIGINALS"
	printf '%s %s\n' "$(original_hash "$file")" "$1" >>"$ORIGINALS"
	LC_ALL=C sort -k 2 -o "$ORIGINALS" "$ORIGINALS"
}

same_commit() {
	[[ $(AT=$1 kgit log -1 --format='%T %an %ae %at%n%B' "$2") == "$(AT=$1 kgit log -1 --format='%T %an %ae %at%n%B' "$3")" ]]
}

# make_overrides ENDS DIR: writes an override for each commit up to ENDS that differs from the commit that `git am -3'
# makes from the patch in patches/.
make_overrides() {
	local topic file name commits new=$2 tree=$TMP/replay prev=base end
	local -A file_of
	export_topics "$1" "$TMP/all"
	mkdir -p "$new"
	: >"$new/originals"
	make_sparse_tree "$tree" "$PATCHES" base
	while read -r topic end; do
		[[ $topic ]] || continue
		mapfile -t commits < <(kgit rev-list --reverse "$prev..$end")
		file_of=()
		while read -r file; do
			name=$(override_name "$topic/$file")
			file_of[$name]=${commits[$((10#${file%%-*} - 1))]}
		done <"$TMP/all/$topic/series"
		while read -r file; do
			name=$(override_name "$topic/$file")
			if [[ ${file_of[$name]-} ]] && replays "$tree" "$PATCHES/$topic/$file" "${file_of[$name]}"; then
				unset "file_of[$name]"
				continue
			fi
			mkdir -p "$new/$topic"
			: >"$new/$name"
			if [[ ${file_of[$name]-} ]]; then
				cat "$TMP/all/$topic/"*"-${name##*/}" >"$new/$name"
				unset "file_of[$name]"
			fi
			printf '%s %s\n' "$(original_hash "$PATCHES/$topic/$file")" "$name" >>"$new/originals"
		done < <(grep -v '^#' "$PATCHES/$topic/series")
		((${#file_of[@]} == 0)) || die "no patch of patches/$topic has the subject of ${!file_of[*]}"
		prev=$end
	done <<<"$1"
	LC_ALL=C sort -k 2 -o "$new/originals" "$new/originals"
}

# export_target ENDS: replaces the overrides.
export_target() {
	make_overrides "$1" "$TMP/overrides"
	rm -rf "$OVERRIDES"
	cp -r "$TMP/overrides" "$OVERRIDES"
	say "series: $(wc -l <"$ORIGINALS") patches differ for $TARGET: $OVERRIDES"
}

# check_target ENDS: compares the bytes of the overrides with those that an export writes.
check_target() {
	make_overrides "$1" "$TMP/overrides"
	diff -r "$OVERRIDES" "$TMP/overrides" >"$LOG" ||
		die "the overrides in targets/$TARGET/patches are not what an export writes; full log: $LOG"
	say "overrides: $(wc -l <"$ORIGINALS") patches, byte-identical"
}

# replays TREE FILE COMMIT: returns whether `git am -3' makes COMMIT from FILE. Afterwards TREE is at COMMIT.
replays() {
	local rc=1
	local -x GIT_COMMITTER_NAME='UDP GSO series' GIT_COMMITTER_EMAIL=series@localhost
	if AT=$1 sparse -c am.threeWay=true -c am.messageId=false -c mailinfo.scissors=false am --keep-non-patch \
		--committer-date-is-author-date "$2" >>"$LOG" 2>&1 </dev/null; then
		same_commit "$1" HEAD "$3" && rc=0
	else
		AT=$1 sparse am --abort >>"$LOG" 2>&1 || die "git am --abort: full log: $LOG"
	fi
	AT=$1 sparse checkout -q -f --detach "$3" >>"$LOG" 2>&1
	return "$rc"
}

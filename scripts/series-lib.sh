# SPDX-License-Identifier: GPL-2.0
# Shared by scripts/series and scripts/port: makes commits from patches, and patches from commits. Needs scripts/lib.sh.
# shellcheck shell=bash

PATCHES=$TOP/patches
TREE=$WORK/series
STATE=$WORK/series.state
# shellcheck disable=SC2034 # scripts/series uses it
MOVING=$WORK/series.moving
LOG=$LOGS/series.log
TMP=

# The groups of fixes in mainline/, in the order in which they are applied.
# shellcheck disable=SC2034 # used by the scripts that source this file
MAINLINE_GROUPS=(net net-udp ipsec nf)

# Runs git in the kernel repository ($AT, by default work/stock). The settings of the user are not read, so that the
# same patches result in the same commits on all machines.
kgit() {
	GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 git -C "${AT:-$WORK/stock}" -c core.hooksPath=/dev/null \
		-c core.quotePath=true -c core.autocrlf=false -c commit.gpgSign=false -c gc.auto=0 -c color.ui=false \
		-c i18n.commitEncoding=UTF-8 -c i18n.logOutputEncoding=UTF-8 -c advice.detachedHead=false -c checkout.workers=0 "$@"
}

has() { kgit rev-parse -q --verify "$1^{commit}" >/dev/null; }
id() { kgit rev-parse "$1^{commit}"; }
dirty() { [[ $(AT=$TREE kgit status --porcelain | head -c 1) ]]; }

make_tmp() {
	[[ $TMP ]] || { TMP=$(mktemp -d) && trap 'trap "" INT TERM HUP; rm -rf "$TMP"; AT="" kgit worktree prune' EXIT; }
}

topics() {
	local dir
	for dir in "${1:-$PATCHES}"/*/; do
		if [[ -d $dir ]]; then basename "$dir"; fi
	done | LC_ALL=C sort
}

# files_of DIR/TOPIC: prints the paths of the patches of a topic, in order.
files_of() {
	local name
	[[ -f $1/series ]] || return 0
	while read -r name; do
		[[ -f $1/$name ]] || die "${1##*/}/series lists $name, which does not exist"
		printf '%s\n' "$1/$name"
	done < <(grep -v '^#' "$1/series" || true)
}

# Prints a hash of everything that `series` is made from: the commit of base and the bytes of the patches.
digest() {
	local topic
	{
		id base
		for topic in $(topics); do
			printf '%s\n' "$topic"
			files_of "$PATCHES/$topic" | xargs -r -d '\n' sha256sum
		done
		[[ ! -d $TARGET_DIR/patches ]] || find "$TARGET_DIR/patches" -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum
	} | sha256sum
}

# make_sparse_tree DIR PATCHES [COMMIT [FILE...]]: makes a worktree of COMMIT (base by default) that has only the
# FILEs and the files that the patches change.
make_sparse_tree() {
	local new=$1 patches=("$2") dir
	[[ ! -d $TARGET_DIR/patches ]] || patches+=("$TARGET_DIR/patches")
	kgit worktree prune
	kgit worktree add -q --detach --no-checkout "$new" "${3:-base}"
	dir=$(AT=$new kgit rev-parse --absolute-git-dir)
	mkdir -p "$dir/info"
	{
		printf '/%s\n' COPYING "${@:4}"
		find "${patches[@]}" -name '*.patch' -exec sed -nE 's,^(---|\+\+\+) [ab](/.*),\2,p; s,^rename from (.*),/\1,p' {} +
	} | LC_ALL=C sort -u >"$dir/info/sparse-checkout"
	AT=$new sparse read-tree -mu HEAD
}

sparse() { kgit -c core.sparseCheckout=true -c core.sparseCheckoutCone=false -c index.sparse=false "$@"; }

# check_hunks FILE: prints an error if a hunk has more lines than its @@ line says. git drops such lines without an error.
check_hunks() {
	awk 'function lines(s,  a) { return split(s, a, ",") > 1 ? a[2] : 1 }
		/^diff --git / { diff = 1; old = new = 0; next }
		!diff { next }
		old > 0 || new > 0 { c = substr($0, 1, 1); old -= c != "+" && c != "\\"; new -= c != "-" && c != "\\"; next }
		/^@@ / { old = lines($2); new = lines($3); next }
		/^[-+ ]/ && !/^(---|\+\+\+) ([ab]\/|\/dev\/null)/ {
			print "line " FNR ": the hunk has more lines than its @@ line says"; exit }' "$1"
}

# apply PATCHES DIR: applies the patches with a fixed committer and the date of the author. Patches apply without
# fuzz. Only for targets other than 6.12, patches are merged if they do not apply. Prints a line `TOPIC COMMIT` for
# each topic.
apply() {
	local topic file list why merge=false
	[[ $TARGET == 6.12 ]] || merge=true
	: >"$LOG"
	for topic in $(topics "$1"); do
		list=$(files_of "$1/$topic")
		while read -r file; do
			[[ $file ]] || continue
			[[ $TARGET == 6.12 ]] || file=$(target_patch "$topic/${file##*/}")
			[[ $file ]] || continue
			why=$(check_hunks "$file")
			[[ ! $why ]] || die "patch $topic/${file##*/}: $why"
			GIT_COMMITTER_NAME='UDP GSO series' GIT_COMMITTER_EMAIL=series@localhost AT=$2 sparse \
				-c am.threeWay=$merge -c am.messageId=false -c mailinfo.scissors=false \
				-c apply.whitespace=nowarn -c apply.ignoreWhitespace=no \
				am --keep-non-patch --committer-date-is-author-date "$file" >>"$LOG" 2>&1 </dev/null && continue
			why=$(grep -m1 -E '^(error|fatal):' "$LOG" || echo 'see the log')
			die "patch $topic/${file##*/} does not apply to base: ${why#*: }; full log: $LOG"
		done <<<"$list"
		printf '%s %s\n' "$topic" "$(AT=$2 id HEAD)"
	done
}

# topic_ends HEAD: prints `TOPIC COMMIT` with the last commit of each topic, from branches topic/NAME; the last topic
# ends at HEAD.
topic_ends() {
	local topic end last prev=base
	last=$(topics | tail -n 1)
	for topic in $(topics); do
		end=topic/$topic
		[[ $topic != "$last" ]] || end=$1
		has "$end" || die "branch topic/$topic is missing: it must mark the last commit of its topic"
		{ kgit merge-base --is-ancestor "$prev" "$end" && kgit merge-base --is-ancestor "$end" "$1"; } ||
			die "$end is not between $prev and $1: move it with \`git branch -f $end COMMIT'"
		printf '%s %s\n' "$topic" "$(id "$end")"
		prev=$end
	done
}

# Every setting of git diff that changes its output has a fixed value.
DIFF_SETTINGS=(
	-c diff.algorithm=myers -c diff.context=3 -c diff.interHunkContext=0 -c diff.indentHeuristic=true
	-c diff.noPrefix=false -c diff.mnemonicPrefix=false -c diff.renames=true -c diff.renameLimit=1000
	-c diff.suppressBlankEmpty=false -c diff.orderFile=/dev/null -c diff.statGraphWidth=0 -c core.abbrev=auto
)

# format FROM TO DIR OPTION...: writes the patches of a range to DIR; the settings of git format-patch are fixed too.
format() {
	local from=$1 to=$2 dir=$3
	shift 3
	kgit "${DIFF_SETTINGS[@]}" -c format.thread=false -c format.signOff=false -c format.suffix=.patch \
		-c format.notes=false -c format.from=false -c format.filenameMaxLength=64 -c format.mboxrd=false \
		-c format.encodeEmailHeaders=true -c format.useAutoBase=false -c format.noPrefix=false \
		format-patch -q --no-attach --no-signature --no-base --full-index -o "$dir" "$@" "$from..$to"
}

# export_topics ENDS DIR: ENDS is the output of topic_ends(). Writes the patches of each topic to
# DIR/TOPIC/NNNN-subject.patch, and the list of their names to DIR/TOPIC/series.
export_topics() {
	local topic end prev=base n
	while read -r topic end; do
		[[ $topic ]] || continue
		mkdir -p "$2/$topic"
		format "$prev" "$end" "$2/$topic" --zero-commit --no-numbered --no-cover-letter --subject-prefix=
		n=$(kgit rev-list --count "$prev..$end")
		find "$2/$topic" -name '*.patch' -printf '%f\n' | LC_ALL=C sort >"$2/$topic/series"
		[[ $(find "$2/$topic" -name '*.patch' -exec grep -l '^diff --git' {} + | wc -l) == "$n" ]] ||
			die "topic $topic has a merge or an empty commit: its $n commits are not $n patches"
		prev=$end
	done <<<"$1"
}

# copy_texts TOPIC DIR: copies the files of a topic that are written by hand.
copy_texts() {
	local file
	for file in "$PATCHES/$1"/{cover-letter.txt,changes,prefix}; do
		[[ ! -f $file ]] || cp -p "$file" "$2/"
	done
}

# record_state ENDS HEAD: records that branch `series` and patches/ agree.
record_state() {
	local topic end
	while read -r topic end; do
		[[ ! $topic ]] || kgit branch -q -f --no-track "topic/$topic" "$end"
	done <<<"$1"
	kgit update-ref refs/series/base base
	kgit update-ref refs/series/exported "$2"
	digest >"$STATE"
}

# SPDX-License-Identifier: GPL-2.0
# The commands rebase, diff and send of scripts/series.
# shellcheck shell=bash

rebase() {
	local old=refs/series/base
	has series || die "branch series is missing: run \`scripts/series edit'"
	! dirty || die "work/series: there are changes that are not committed"
	has $old || old=$(kgit merge-base base series)
	git -C "$TREE" rebase --update-refs --onto base "$old" series ||
		die "the rebase stopped: resolve it in $TREE, \`git rebase --continue', then \`scripts/series export'"
	say "series: rebased; look at \`scripts/series diff HEAD', then run \`scripts/series export'"
}

# apply_revision REVISION: applies the patches of that revision of this repository to base; prints `TOPIC COMMIT' for
# each topic.
apply_revision() {
	mkdir "$TMP/old"
	git -C "$TOP" archive "$1" patches | tar -x -C "$TMP/old"
	make_sparse_tree "$TMP/tree" "$TMP/old/patches"
	apply "$TMP/old/patches" "$TMP/tree"
}

compare() {
	local a=${1:-base} b=${2:-series} list
	if [[ " ${KERNELS[*]} " == *" $a "* && " ${KERNELS[*]} " == *" $b "* ]]; then
		git -C "$WORK/stock" diff "$a" "$b"
		return
	fi
	git -C "$TOP" rev-parse -q --verify "$a^{commit}" >/dev/null ||
		die "$a is neither a kernel (${KERNELS[*]}) nor a revision of this repository"
	make_tmp
	list=$(apply_revision "$a")
	git -C "$WORK/stock" range-diff "base..${list##* }" base..series
}

# topic_range TOPIC <LIST: prints the range of the commits of TOPIC, `FROM..TO'. LIST has a line `TOPIC LAST-COMMIT' for
# each topic, in the order of the topics.
topic_range() {
	local prev=base name end
	while read -r name end; do
		[[ $name != "$1" ]] || { printf '%s..%s\n' "$prev" "$end"; return; }
		prev=$end
	done
}

# version_range TOPIC N: prints the range of version N, from tag TOPIC-vN of this repository; prints nothing if it
# cannot be made.
version_range() {
	local list
	git -C "$TOP" rev-parse -q --verify "refs/tags/$1-v$2^{commit}" >/dev/null ||
		{ say "no range-diff: there is no tag $1-v$2" >&2; return 0; }
	list=$(apply_revision "$1-v$2") || { say "no range-diff: what was $1-v$2 does not apply to base" >&2; return 0; }
	topic_range "$1" <<<"$list"
}

send() {
	local topic=${1:-} n=1 version=() dir cover text list range old changes=
	[[ $topic && -s $PATCHES/$topic/cover-letter.txt ]] || die "send needs a topic with a cover letter: $(topics | xargs)"
	shift
	if [[ ${1:-} =~ ^-v([1-9][0-9]*)$ ]]; then n=${BASH_REMATCH[1]} version=("$1"); shift; fi
	[[ ! ${1:-} || $1 == --send ]] || die "send: $1 is neither a version (-v2) nor --send"
	if ((n > 1)); then
		changes=$PATCHES/$topic/changes
		grep -q "^v$n:" "$changes" 2>/dev/null ||
			die "$changes does not say what is new: it needs a paragraph that starts with \`v$n:'"
		changes=$'\n\n'$(<"$changes")
	fi
	[[ ! $(unsaved) ]] || die "work/series: $(unsaved)"
	dir=$WORK/outgoing/$topic${version[*]}
	rm -rf "$dir"
	list=$(topic_ends series)
	range=$(topic_range "$topic" <<<"$list")
	if ((n > 1)); then
		make_tmp
		old=$(version_range "$topic" $((n - 1)))
		[[ ! $old ]] || version+=(--range-diff="$old")
	fi
	GIT_COMMITTER_NAME=$(git config user.name) GIT_COMMITTER_EMAIL=$(git config user.email) \
		format "${range%..*}" "${range#*..}" "$dir" --zero-commit --numbered --cover-letter \
		--subject-prefix="${PREFIX:-PATCH net-next}" "${version[@]}"
	cover=$(find "$dir" -name '*0000-cover-letter.patch')
	text=$(<"$cover")
	text=${text/'*** SUBJECT HERE ***'/"$(head -n 1 "$PATCHES/$topic/cover-letter.txt")"}
	text=${text/'*** BLURB HERE ***'/"$(tail -n +3 "$PATCHES/$topic/cover-letter.txt")$changes"}
	printf '%s\n' "$text" >"$cover"
	say "series: $(find "$dir" -name '*.patch' | wc -l) mails in $dir"
	if [[ ${1:-} != --send ]]; then
		say "nothing is sent: --send ARG... sends them with git send-email; then run \`git tag $topic-v$n', which the next version needs"
		return
	fi
	shift
	need git-email
	git send-email "$@" "$dir"
}

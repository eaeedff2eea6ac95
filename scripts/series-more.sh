# SPDX-License-Identifier: GPL-2.0
# The commands of scripts/series around the round trip: rebase, diff, send.
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

compare() {
	local a=${1:-base} b=${2:-series}
	if [[ " ${KERNELS[*]} " == *" $a "* && " ${KERNELS[*]} " == *" $b "* ]]; then
		git -C "$WORK/stock" diff "$a" "$b"
		return
	fi
	git -C "$TOP" rev-parse -q --verify "$a^{commit}" >/dev/null ||
		die "$a is neither a kernel (${KERNELS[*]}) nor a revision of this repository"
	scratch
	mkdir "$TMP/old"
	git -C "$TOP" archive "$a" patches | tar -x -C "$TMP/old"
	bare_tree "$TMP/tree" "$TMP/old/patches"
	apply "$TMP/old/patches" "$TMP/tree" >"$TMP/ends"
	git -C "$WORK/stock" range-diff "base..$(AT=$TMP/tree id HEAD)" base..series
}

send() {
	local topic=${1:-} version='' dir cover text list prev=base name end
	[[ $topic && -s $PATCHES/$topic/cover-letter.txt ]] || die "send needs a topic with a cover letter: $(topics | xargs)"
	shift
	if [[ ${1:-} == -v[0-9]* ]]; then version=$1; shift; fi
	[[ ! $(unsaved) ]] || die "work/series: $(unsaved)"
	dir=$WORK/outgoing/$topic$version
	rm -rf "$dir"
	list=$(ends series)
	while read -r name end; do
		[[ $name != "$topic" ]] || break
		prev=$end
	done <<<"$list"
	GIT_COMMITTER_NAME=$(git config user.name) GIT_COMMITTER_EMAIL=$(git config user.email) \
		format "$prev" "$end" "$dir" --zero-commit --numbered --cover-letter \
		--subject-prefix="${PREFIX:-PATCH net-next}" ${version:+"$version"}
	cover=$(find "$dir" -name '*0000-cover-letter.patch')
	text=$(<"$cover")
	text=${text/'*** SUBJECT HERE ***'/"$(head -n 1 "$PATCHES/$topic/cover-letter.txt")"}
	text=${text/'*** BLURB HERE ***'/"$(tail -n +3 "$PATCHES/$topic/cover-letter.txt")"}
	printf '%s\n' "$text" >"$cover"
	say "series: $(find "$dir" -name '*.patch' | wc -l) mails in $dir"
	[[ ${1:-} == --send ]] || { say "nothing is sent; --send ARG... hands them to git send-email"; return; }
	shift
	need git-email
	git send-email "$@" "$dir"
}

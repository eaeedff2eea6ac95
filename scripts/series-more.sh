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

# real_address ADDRESS: returns whether mail to this address can arrive.
real_address() {
	[[ $1 == *@*.* && ! $1 =~ @(.*\.)?(localhost|localdomain|local|example|invalid|test)$ &&
		! $1 =~ @(.*\.)?example\.[a-z]+$ && ! $1 =~ no-?reply ]]
}

# patches_in FILE: prints the number of patches that a list has.
patches_in() { awk '/^[^#]/ { n++ } END { print n + 0 }' "$1"; }

# mainline_range GROUP: prints the range of the commits of mainline/GROUP in the tree that scripts/mainline makes. This
# tree has one commit for each patch in the lists.
mainline_range() {
	local group=$1 folder before=0 n commits tip=mainline
	if [[ $group == fast-path ]]; then
		tip=mainline-fast-path
	else
		for folder in "${MAINLINE_GROUPS[@]}"; do
			[[ $folder != "$group" ]] || break
			before=$((before + $(patches_in "$TOP/mainline/$folder/series")))
		done
	fi
	n=$(patches_in "$TOP/mainline/$group/series")
	((n)) || die "mainline/$group/series lists no patch"
	mapfile -t commits < <(kgit rev-list --reverse "stock..$tip")
	commits=(stock "${commits[@]}")
	printf '%s..%s\n' "${commits[before]}" "${commits[before + n]}"
}

# check_addresses RANGE: ends if no mail can arrive at the address of the user or of an author.
check_addresses() {
	local address user
	user=$(git -C "$TOP" config user.email) || true
	while read -r address; do
		real_address "$address" ||
			die "not a real mail address: ${address:-none}; see \`git config user.email' and the authors of the patches, or use --draft"
	done < <(echo "$user"; kgit log --format=%ae "$1" | LC_ALL=C sort -u)
}

# recipients TREE DIR: prints the options of git format-patch for those who have to get the mails: To maintainers, Cc
# reviewers and lists.
recipients() {
	local who
	who=(perl scripts/get_maintainer.pl --nogit --nogit-fallback --nofixes --norolestats)
	find "$2" -name '*.patch' -print0 | (cd "$1" && xargs -0 "${who[@]}" --nor --nol) | sed 's/^/--to=/'
	find "$2" -name '*.patch' -print0 | (cd "$1" && xargs -0 "${who[@]}" --nom) | sed 's/^/--cc=/'
}

# without_fixes DIR: prints the names of the patches without a Fixes: tag.
without_fixes() { { grep -L '^Fixes: [0-9a-f]\{12,\} ("' "$1"/*-*.patch || true; } | sed '/0000-cover-letter/d; s,.*/,,'; }

# send TOPIC [-vN] [--draft] [--send ARG...]
send() {
	local topic=${1:-} n=1 version=() dir cover text range old='' changes='' folder where prefix address draft='' missing list mails to=()
	[[ $topic == mainline/* ]] && folder=$TOP/$topic || folder=$PATCHES/$topic
	[[ $topic && -s $folder/cover-letter.txt ]] ||
		die "send needs a topic with a cover letter: $(topics | xargs) $(cd "$TOP" && find mainline -name cover-letter.txt -printf '%h ' 2>/dev/null)"
	shift
	if [[ ${1:-} =~ ^-v([1-9][0-9]*)$ ]]; then n=${BASH_REMATCH[1]} version=("$1"); shift; fi
	if [[ ${1:-} == --draft ]]; then draft=1; shift; fi
	[[ ! ${1:-} || $1 == --send ]] || die "send: $1 is neither a version (-v2) nor --draft nor --send"
	if ((n > 1)); then
		changes=$folder/changes
		grep -q "^v$n:" "$changes" 2>/dev/null ||
			die "$changes does not say what is new: it needs a paragraph that starts with \`v$n:'"
		changes=$'\n\n'$(<"$changes")
	fi
	[[ ! ${BASE-} || $BASE =~ ^[0-9a-f]{40}$ ]] || die "BASE has to be the complete id of a public commit: $BASE"
	dir=$WORK/outgoing/${topic/\//-}${version[*]}
	rm -rf "$dir"
	if [[ $topic == mainline/* ]]; then
		[[ $TARGET != 6.12 ]] || die "the patches of mainline/ are for a newer target: TARGET=7.3"
		[[ $topic != mainline/fast-path ]] || where=fast-path
		"$TOP/scripts/mainline" ${where:+"$where"}
		where=$WORK/mainline${where:+-$where}
		range=$(mainline_range "${topic#*/}")
		((n == 1)) || say "no range-diff: it is made for the topics of patches/ only" >&2
	else
		[[ ! $(unsaved) ]] || die "work/series: $(unsaved)"
		where=$TREE
		list=$(topic_ends series)
		range=$(topic_range "$topic" <<<"$list")
		if ((n > 1)); then
			make_tmp
			old=$(version_range "$topic" $((n - 1)))
			[[ ! $old ]] || version+=(--range-diff="$old")
		fi
	fi
	[[ $draft ]] || check_addresses "$range"
	prefix='PATCH net-next'
	[[ ! -s $folder/prefix ]] || prefix=$(<"$folder/prefix")
	prefix=${PREFIX:-$prefix}
	if [[ -e $where/scripts/get_maintainer.pl ]]; then
		format "${range%..*}" "${range#*..}" "$dir" --zero-commit --no-numbered --no-cover-letter
		list=$(recipients "$where" "$dir") || die "scripts/get_maintainer.pl of $where failed"
		[[ $list ]] || die "scripts/get_maintainer.pl names nobody for $topic"
		mapfile -t to <<<"$list"
		rm -rf "$dir"
	fi
	GIT_COMMITTER_NAME=$(git -C "$TOP" config user.name) GIT_COMMITTER_EMAIL=$(git -C "$TOP" config user.email) \
		format "${range%..*}" "${range#*..}" "$dir" --zero-commit --numbered --cover-letter --thread=shallow \
		--subject-prefix="$prefix" "${to[@]}" "${version[@]}"
	cover=$(find "$dir" -name '*0000-cover-letter.patch')
	text=$(<"$cover")
	text=${text/'*** SUBJECT HERE ***'/"$(sed -n '1s/^RFC: //; 1p' "$folder/cover-letter.txt")"}
	text=${text/'*** BLURB HERE ***'/"$(tail -n +3 "$folder/cover-letter.txt")$changes"}
	printf '%s\n' "$text" >"$cover"
	[[ ! ${BASE-} ]] || printf '\nbase-commit: %s\n' "$BASE" >>"$cover"
	mails=$(find "$dir" -name '*.patch' | wc -l)
	say "series: $mails mails in $dir"
	((mails <= 16)) || say 'warning: netdev accepts at most 15 patches per series' >&2
	if [[ $prefix =~ ^PATCH\ (net|nf|ipsec)$ ]]; then
		missing=$(without_fixes "$dir" | xargs)
		[[ ! $missing ]] || say "warning: no Fixes: tag in $missing" >&2
	fi
	if [[ ${1:-} != --send ]]; then
		[[ ${BASE-} ]] || say "without base-commit: BASE=COMMIT adds it"
		say "nothing is sent: --send ARG... sends them with git send-email"
		[[ $topic == mainline/* ]] || say "then run \`git tag $topic-v$n', which the next version needs"
		return
	fi
	shift
	[[ ! $draft ]] || die "a draft is not sent"
	need git-email
	git send-email --no-thread "$@" "$dir"
}

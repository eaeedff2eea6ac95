# SPDX-License-Identifier: GPL-2.0
# The cache of jobs that passed, in work/passed. With this cache, an interrupted run resumes where it stopped. A job
# does not run again as long as its inputs are the same. The inputs are the files given to cache_start, the trees of the
# three kernels, the changes in work/series that are not committed, and the versions of gcc, QEMU and this machine's
# kernel. The script of a selftest is an input only of its own jobs and of the jobs whose script contains its name.
# A job with a failed or a skipped test is not cached. `rm -r work/passed' empties the cache.
# shellcheck shell=bash

cache_state='' cache_scripts=''

# cache_start FILE|DIRECTORY...: uses the cache for all following jobs. The files are inputs of each of these jobs.
cache_start() {
	local tree scripts kernel
	tree=$(git -C "$WORK/series" ls-tree -r HEAD)
	scripts=$(sed "s,^,\t$NET/," "$SUITE/scripts")
	cache_scripts=$(grep -F -e "$scripts" <<<"$tree")
	cache_state=$({
		grep -vF -e "$scripts" <<<"$tree"
		git -C "$WORK/series" diff HEAD
		for kernel in stock base; do git -C "$WORK/$kernel" rev-parse -q --verify 'HEAD^{tree}' 2>/dev/null; done
		{ gcc --version; qemu-system-x86_64 --version; uname -r; } 2>/dev/null
		find "$@" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
	} | sha256sum)
}

# cache_file NAME: prints the name of the file that exists if the job NAME has passed with the same inputs. Prints
# nothing before cache_start.
cache_file() {
	local script=${1##* } key
	[[ $cache_state ]] || return 0
	key=$({
		echo "$cache_state"
		grep -F -e "/$script" -f <(grep -os '/[a-z_]*\.sh' "$SUITE/net/udp_gso/$script") <<<"$cache_scripts" || true
	} | sha256sum)
	printf '%s/passed/%.16s %s\n' "$WORK" "$key" "${1//\//-}"
}

# cache_store FILE TALLY SECONDS: records in FILE, the output of cache_file, that the job has passed. A job with a
# skipped test is not recorded.
cache_store() {
	[[ $1 && $(head -n 1 "$2") == *' 0' ]] || return 0
	install -D -m 644 <(cat "$2"; echo "0 0 0 $3") "$1"
}

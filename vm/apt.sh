# SPDX-License-Identifier: GPL-2.0
# Downloads Debian packages and unpacks them below work/, without installing them. The script that sources this file
# sets $new, the directory for the packages, and $LOG, and defines none(), which ends with an error.
# shellcheck shell=bash disable=SC2154

KEYS=/usr/share/keyrings/debian-archive-keyring.gpg

# sources [SUFFIX]: prints a line for sources.list with the mirror of the host. A mirror has all suites and
# architectures.
sources() {
	local release line uri codename
	# shellcheck disable=SC1091
	release=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
	# shellcheck disable=SC2016 # expanded by apt
	line=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(ORIGIN)' \
		'Identifier: Packages' 'Component: main' |
		awk -v r="$release" '$2 == r && $3 == "Debian"' | head -n 1) || true
	read -r uri codename _ <<<"$line" || true
	[[ ${codename-} ]] || none "no source of apt has Debian's ${release:-packages}"
	[[ ! -e $KEYS ]] || uri="[signed-by=$KEYS] $uri"
	echo "deb $uri $codename${1-} main"
}

# private_apt COMMAND ARG...: runs apt-get with its own lists and cache. The packages of the host count as installed.
private_apt() {
	local sub=$1
	shift
	apt-get -o "Dir::Etc::sourcelist=$new/sources.list" -o Dir::Etc::sourceparts=- \
		-o "Dir::State::lists=$new/lists" -o "Dir::Cache=$new/cache" -o APT::Sandbox::User=root \
		-o Debug::NoLocking=1 -o Acquire::Retries=2 -o Acquire::http::Timeout=20 \
		"$sub" -y "$@" >>"$LOG" 2>&1 </dev/null
}

# private_cache COMMAND ARG...: runs apt-cache with the lists of private_apt.
private_cache() {
	apt-cache -o "Dir::Etc::sourcelist=$new/sources.list" -o Dir::Etc::sourceparts=- \
		-o "Dir::State::lists=$new/lists" -o "Dir::Cache=$new/cache" "$@" 2>>"$LOG" </dev/null
}

# new_root [SUFFIX]: makes the directory $new again, with the directories that apt needs and a sources.list. SUFFIX is
# passed to sources().
new_root() {
	rm -rf "$new"
	mkdir -p "$new"/{lists/partial,cache/archives/partial,root}
	: >"$LOG"
	sources "${1-}" >"$new/sources.list"
}

# unpack_root: unpacks into $new/root the packages that private_apt has downloaded, and removes the downloads.
unpack_root() {
	local deb
	for deb in "$new"/cache/archives/*.deb; do dpkg -x "$deb" "$new/root" >>"$LOG"; done
	rm -rf "$new"/{cache,lists,sources.list}
}

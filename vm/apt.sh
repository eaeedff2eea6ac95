# SPDX-License-Identifier: GPL-2.0
# Debian packages that are unpacked below work/ and not installed; source it with $new, a directory
# that private_apt owns, and $LOG.
# shellcheck shell=bash disable=SC2154

KEYS=/usr/share/keyrings/debian-archive-keyring.gpg

# sources [SUFFIX]: the place this machine has its Debian from, which has all suites of it and all architectures.
sources() {
	local release line uri codename
	# shellcheck disable=SC1091
	release=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
	# shellcheck disable=SC2016 # apt replaces it
	line=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(ORIGIN)' \
		'Identifier: Packages' 'Component: main' |
		awk -v r="$release" '$2 == r && $3 == "Debian"' | head -n 1) || true
	read -r uri codename _ <<<"$line" || true
	[[ ${codename-} ]] || none "no source of apt has Debian's ${release:-packages}"
	[[ ! -e $KEYS ]] || uri="[signed-by=$KEYS] $uri"
	echo "deb $uri $codename${1-} main"
}

# private_apt COMMAND ARG...: with a state of its own; what is installed counts as installed.
private_apt() {
	local sub=$1
	shift
	apt-get -o "Dir::Etc::sourcelist=$new/sources.list" -o Dir::Etc::sourceparts=- \
		-o "Dir::State::lists=$new/lists" -o "Dir::Cache=$new/cache" -o APT::Sandbox::User=root \
		-o Debug::NoLocking=1 -o Acquire::Retries=2 -o Acquire::http::Timeout=20 \
		"$sub" -y "$@" >>"$LOG" 2>&1 </dev/null
}

# new_root [SUFFIX]: an empty $new.
new_root() {
	rm -rf "$new"
	mkdir -p "$new"/{lists/partial,cache/archives/partial,root}
	: >"$LOG"
	sources "${1-}" >"$new/sources.list"
}

# unpack_root: what private_apt has fetched; the rest is not needed any more.
unpack_root() {
	local deb
	for deb in "$new"/cache/archives/*.deb; do dpkg -x "$deb" "$new/root" >>"$LOG"; done
	rm -rf "$new"/{cache,lists,sources.list}
}

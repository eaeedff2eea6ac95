# SPDX-License-Identifier: GPL-2.0
# Makes the configuration for scripts/deb: Debian's configuration with the changes in the fragments. scripts/deb sources
# this file.
# shellcheck shell=bash disable=SC2154

# values FILE: prints the symbols that are enabled or have a value.
values() { grep '^CONFIG_' "$1" | LC_ALL=C sort; }

# Fails if symbols differ from Debian's configuration, except symbols that the fragments name, and symbols that describe
# the tools of this machine.
check_config() {
	local named lost symbol
	named=$(grep -hE '^(CONFIG_|# CONFIG_.* is not set)' "${fragments[@]}" | grep -oE 'CONFIG_[A-Za-z0-9_]+')
	lost=$(LC_ALL=C comm -3 <(values "$dir/debian.config") <(values "$out/.config") | grep -oE '^.?CONFIG_[A-Za-z0-9_]+' |
		tr -d '\t' | sort -u | grep -vxF "$named" |
		grep -vxE 'CONFIG_[A-Z]+_VERSION(_TEXT)?|CONFIG_RUSTC_.*|CONFIG_(CC|AS|LD|PAHOLE)_HAS_.*' | paste -sd ' ') || true
	[[ ! $lost ]] || die "$name: not as in Debian's configuration, and not named in configs/deb*.config: $lost"
	while read -r symbol; do
		if [[ $symbol == '#'* ]]; then ! grep -q "^${symbol:2:-11}=" "$out/.config"; else grep -qxF "$symbol" "$out/.config"; fi ||
			die "$name: not in the resulting configuration: $symbol"
	done < <(grep -hE '^(CONFIG_|# CONFIG_.* is not set)' "${fragments[@]}")
}

configure() {
	xz -dc "$debian" >"$dir/debian.config"
	cat "$dir/debian.config" "${fragments[@]}" >"$dir/wanted.config"
	if [[ ! -e $out/.config ]] || ! cmp -s "$dir/wanted.config" "$dir/config.of"; then
		cp "$dir/wanted.config" "$out/.config"
	fi
	logged "config-$name" "${kmake[@]}" olddefconfig
	cp "$dir/wanted.config" "$dir/config.of"
	check_config
}

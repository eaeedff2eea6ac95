// SPDX-License-Identifier: GPL-2.0
/* All counters of the devices and of the protocols that an input may raise. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include "counters.h"
#include "fuzz.h"

#define MAX_COUNTERS	2048
#define MAX_NS		3

struct counter {
	char name[48];
	uint64_t now, total;
	bool ignored;
	bool error;
};

static struct counter counters[MAX_COUNTERS];
static struct { const char *name; int snmp, snmp6, nl; } spaces[MAX_NS];
static unsigned int n_spaces;
static uint64_t seen[MAX_COUNTERS];
static unsigned int n_seen;
static bool opening, naming;
static const char *ns_name;

static void see(const char *group, const char *name, size_t len, uint64_t value)
{
	struct counter *c = &counters[n_seen];

	if (n_seen >= MAX_COUNTERS)
		die("too many counters");
	if (naming)
		snprintf(c->name, sizeof(c->name), "%s:%s%.*s", ns_name, group,
			 (int)len, name);
	seen[n_seen++] = value;
}

static size_t slurp(int fd, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t got;

	while ((got = pread(fd, buf + len, size - 1 - len, len)) > 0)
		len += got;
	buf[len] = 0;
	return len;
}

/* Pairs of lines: names, values. */
static void see_snmp(int fd)
{
	char buf[8192], group[16], *name, *value, *end;

	slurp(fd, buf, sizeof(buf));
	for (name = buf; *name; name = end) {
		value = strchr(name, '\n') + 1;
		end = strchr(value, '\n') + 1;
		if (!strncmp(name, "IcmpMsg:", 8))
			continue;	/* names come when there is one */
		snprintf(group, sizeof(group), "%.*s",
			 (int)strcspn(name, ":"), name);
		name = strchr(name, ' ');
		value = strchr(value, ' ');
		for (; value && value < end - 1; name += strcspn(name + 1, " \n") + 1)
			see(group, name + 1, strcspn(name + 1, " \n"),
			    strtoull(value, &value, 10));
	}
}

static void see_snmp6(int fd)
{
	char buf[16384], *p, *value;
	size_t len;

	slurp(fd, buf, sizeof(buf));
	for (p = buf; *p; p = strchr(value, '\n') + 1) {
		len = strcspn(p, " \t");
		value = p + len;
		if (!strncmp(p, "Icmp6InType", 11) ||
		    !strncmp(p, "Icmp6OutType", 12))
			continue;
		see("", p, len, strtoull(value, &value, 10));
	}
}

static void see_link(const struct if_stats_msg *msg,
		     const struct rtnl_link_stats64 *s)
{
	static const struct { const char *name; size_t at; } fields[] = {
#define F(field) { " " #field, offsetof(struct rtnl_link_stats64, field) }
		F(rx_packets), F(tx_packets), F(rx_errors), F(tx_errors),
		F(rx_dropped), F(tx_dropped), F(rx_length_errors),
		F(rx_frame_errors), F(rx_nohandler), F(rx_crc_errors),
	};
	char dev[IF_NAMESIZE] = "";

	if (naming)
		if_indextoname(msg->ifindex, dev);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		see(dev, fields[i].name, strlen(fields[i].name),
		    *(uint64_t *)((char *)s + fields[i].at));
}

/* True when the last message was seen. */
static bool see_messages(char *buf, int len)
{
	struct nlmsghdr *nlh = (struct nlmsghdr *)buf;

	for (; NLMSG_OK(nlh, len); nlh = NLMSG_NEXT(nlh, len)) {
		struct if_stats_msg *msg = NLMSG_DATA(nlh);
		struct rtattr *a = (void *)((char *)msg + NLMSG_ALIGN(sizeof(*msg)));

		if (nlh->nlmsg_type != RTM_NEWSTATS)
			return true;
		if (a->rta_type != IFLA_STATS_LINK_64)	/* padding */
			a = (void *)((char *)a + RTA_ALIGN(a->rta_len));
		see_link(msg, RTA_DATA(a));
	}
	return false;
}

static void ask(int fd, int ifindex)
{
	struct {
		struct nlmsghdr nlh;
		struct if_stats_msg msg;
	} req = {
		.nlh = { .nlmsg_len = sizeof(req), .nlmsg_type = RTM_GETSTATS,
			 .nlmsg_flags = NLM_F_REQUEST },
		.msg = { .ifindex = ifindex, .filter_mask =
			 IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64) },
	};

	if (!ifindex)
		req.nlh.nlmsg_flags |= NLM_F_DUMP;
	if (send(fd, &req, sizeof(req), 0) < 0)
		die("RTM_GETSTATS");
}

static int hear(int fd, char *buf, size_t size)
{
	int len = recv(fd, buf, size, 0);

	if (len <= 0)
		die("RTM_GETSTATS");
	return len;
}

static void see_links(int fd)
{
	static char buf[65536];
	int len;

	ask(fd, 0);
	do
		len = hear(fd, buf, sizeof(buf));
	while (!see_messages(buf, len));
}

/* All of one device, which is quick enough to be done each time. */
uint64_t counters_of(int ifindex)
{
	char buf[512];
	int len;

	ask(spaces[0].nl, ifindex);
	len = hear(spaces[0].nl, buf, sizeof(buf));
	n_seen = 0;
	see_messages(buf, len);
	return digest(0, seen, n_seen * sizeof(seen[0]));
}

static void see_all(void)
{
	n_seen = 0;
	for (unsigned int i = 0; i < n_spaces; i++) {
		ns_name = spaces[i].name;
		naming = opening && i == n_spaces - 1;
		see_snmp(spaces[i].snmp);
		see_snmp6(spaces[i].snmp6);
		see_links(spaces[i].nl);
	}
}

/* What the guest sends on its own (MLD) shows up in some. */
static bool is_noise(const char *name)
{
	const char *p = strchr(name, ':') + 1;

	if (strncmp(p, "Ip6", 3) && strncmp(p, "Icmp6", 5))
		return false;
	return strstr(p, "Mcast") || strstr(p, "Octets") ||
		(strstr(p, "Out") && !strstr(p, "Forw"));
}

static bool is_error(const char *name)
{
	return strstr(name, "rror") || strstr(name, "rop") ||
		strstr(name, "iscard") || strstr(name, "Fail");
}

void counters_open(const char *ns)
{
	unsigned int i = n_spaces++;

	spaces[i].name = ns;
	spaces[i].snmp = open("/proc/thread-self/net/snmp", O_RDONLY);
	spaces[i].snmp6 = open("/proc/thread-self/net/snmp6", O_RDONLY);
	spaces[i].nl = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	if (spaces[i].snmp < 0 || spaces[i].snmp6 < 0 || spaces[i].nl < 0)
		die("counters");
	opening = true;
	see_all();
	opening = naming = false;
	for (i = 0; i < n_seen; i++) {
		counters[i].ignored = is_noise(counters[i].name);
		counters[i].error = is_error(counters[i].name);
		counters[i].now = seen[i];
	}
}

void counters_delta(struct outcome *out, bool verbose)
{
	uint64_t delta;

	see_all();
	for (unsigned int i = 0; i < n_seen; i++) {
		struct counter *c = &counters[i];

		delta = seen[i] - c->now;
		if (!delta || c->ignored)
			continue;
		c->now = seen[i];
		c->total += delta;
		out->digest = mix(mix(out->digest, i), delta);
		if (verbose)
			printf("  %s +%llu\n", c->name,
			       (unsigned long long)delta);
	}
}

void counters_report(void)
{
	printf("counters of errors and drops:\n ");
	for (unsigned int i = 0; i < n_seen; i++) {
		if (counters[i].error && counters[i].total)
			printf(" %s %llu,", counters[i].name,
			       (unsigned long long)counters[i].total);
	}
	printf("\n");
}

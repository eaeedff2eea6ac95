// SPDX-License-Identifier: GPL-2.0
/* The counters of devices and protocols that an input may increase */
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
static struct { const char *name; int snmp, snmp6, nl; } namespaces[MAX_NS];
static unsigned int n_namespaces;
static uint64_t values[MAX_COUNTERS];
static unsigned int n_values;
static bool opening, naming;
static const char *ns_name;

static void add_counter(const char *group, const char *name, size_t len, uint64_t value)
{
	struct counter *c = &counters[n_values];

	if (n_values >= MAX_COUNTERS)
		die("too many counters");
	if (naming)
		snprintf(c->name, sizeof(c->name), "%s:%s%.*s", ns_name, group,
			 (int)len, name);
	values[n_values++] = value;
}

static size_t read_file(int fd, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t got;

	while ((got = pread(fd, buf + len, size - 1 - len, len)) > 0)
		len += got;
	buf[len] = 0;
	return len;
}

/* Pairs of lines: names, then values */
static void read_snmp(int fd)
{
	char buf[8192], group[16], *name, *value, *end;

	read_file(fd, buf, sizeof(buf));
	for (name = buf; *name; name = end) {
		value = strchr(name, '\n') + 1;
		end = strchr(value, '\n') + 1;
		if (!strncmp(name, "IcmpMsg:", 8))
			continue;	/* has no names before the first packet */
		snprintf(group, sizeof(group), "%.*s",
			 (int)strcspn(name, ":"), name);
		name = strchr(name, ' ');
		value = strchr(value, ' ');
		for (; value && value < end - 1; name += strcspn(name + 1, " \n") + 1)
			add_counter(group, name + 1, strcspn(name + 1, " \n"),
			    strtoull(value, &value, 10));
	}
}

static void read_snmp6(int fd)
{
	char buf[16384], *p, *value;
	size_t len;

	read_file(fd, buf, sizeof(buf));
	for (p = buf; *p; p = strchr(value, '\n') + 1) {
		len = strcspn(p, " \t");
		value = p + len;
		if (!strncmp(p, "Icmp6InType", 11) ||
		    !strncmp(p, "Icmp6OutType", 12))
			continue;
		add_counter("", p, len, strtoull(value, &value, 10));
	}
}

static void read_link(const struct if_stats_msg *msg,
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
		add_counter(dev, fields[i].name, strlen(fields[i].name),
		    *(uint64_t *)((char *)s + fields[i].at));
}

/* Returns true for the last message */
static bool read_messages(char *buf, int len)
{
	struct nlmsghdr *nlh = (struct nlmsghdr *)buf;

	for (; NLMSG_OK(nlh, len); nlh = NLMSG_NEXT(nlh, len)) {
		struct if_stats_msg *msg = NLMSG_DATA(nlh);
		struct rtattr *a = (void *)((char *)msg + NLMSG_ALIGN(sizeof(*msg)));

		if (nlh->nlmsg_type != RTM_NEWSTATS)
			return true;
		if (a->rta_type != IFLA_STATS_LINK_64)	/* padding */
			a = (void *)((char *)a + RTA_ALIGN(a->rta_len));
		read_link(msg, RTA_DATA(a));
	}
	return false;
}

static void request_stats(int fd, int ifindex)
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

static int receive_stats(int fd, char *buf, size_t size)
{
	int len = recv(fd, buf, size, 0);

	if (len <= 0)
		die("RTM_GETSTATS");
	return len;
}

static void read_links(int fd)
{
	static char buf[65536];
	int len;

	request_stats(fd, 0);
	do
		len = receive_stats(fd, buf, sizeof(buf));
	while (!read_messages(buf, len));
}

/* Returns a digest of the counters of a device. Called for each input. */
uint64_t counters_of(int ifindex)
{
	char buf[512];
	int len;

	request_stats(namespaces[0].nl, ifindex);
	len = receive_stats(namespaces[0].nl, buf, sizeof(buf));
	n_values = 0;
	read_messages(buf, len);
	return digest(0, values, n_values * sizeof(values[0]));
}

static void read_all(void)
{
	n_values = 0;
	for (unsigned int i = 0; i < n_namespaces; i++) {
		ns_name = namespaces[i].name;
		naming = opening && i == n_namespaces - 1;
		read_snmp(namespaces[i].snmp);
		read_snmp6(namespaces[i].snmp6);
		read_links(namespaces[i].nl);
	}
}

/* Counters that the guest's own packets (MLD) increase */
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
	unsigned int i = n_namespaces++;

	namespaces[i].name = ns;
	namespaces[i].snmp = open("/proc/thread-self/net/snmp", O_RDONLY);
	namespaces[i].snmp6 = open("/proc/thread-self/net/snmp6", O_RDONLY);
	namespaces[i].nl = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	if (namespaces[i].snmp < 0 || namespaces[i].snmp6 < 0 || namespaces[i].nl < 0)
		die("counters");
	opening = true;
	read_all();
	opening = naming = false;
	for (i = 0; i < n_values; i++) {
		counters[i].ignored = is_noise(counters[i].name);
		counters[i].error = is_error(counters[i].name);
		counters[i].now = values[i];
	}
}

void counters_delta(struct outcome *out, bool verbose)
{
	uint64_t delta;

	read_all();
	for (unsigned int i = 0; i < n_values; i++) {
		struct counter *c = &counters[i];

		delta = values[i] - c->now;
		if (!delta || c->ignored)
			continue;
		c->now = values[i];
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
	for (unsigned int i = 0; i < n_values; i++) {
		if (counters[i].error && counters[i].total)
			printf(" %s %llu,", counters[i].name,
			       (unsigned long long)counters[i].total);
	}
	printf("\n");
}

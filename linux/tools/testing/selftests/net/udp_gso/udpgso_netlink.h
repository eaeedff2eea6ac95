/* SPDX-License-Identifier: GPL-2.0 */
/* Helpers for netlink requests that ip and tc do not support. */
#ifndef UDPGSO_NETLINK_H
#define UDPGSO_NETLINK_H

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "udpgso_lib.h"

struct nl {
	union {
		struct nlmsghdr hdr;
		char buf[4096];
	};
	int proto;
	int reply_len;
	union {
		struct nlmsghdr hdr;
		char buf[8192];
	} reply;
};

static inline void nl_add(struct nl *nl, const void *data, int len)
{
	memcpy(nl->buf + nl->hdr.nlmsg_len, data, len);
	nl->hdr.nlmsg_len += NLMSG_ALIGN(len);
}

static inline void nl_init(struct nl *nl, int proto, int type, int flags,
			   const void *family, int len)
{
	memset(nl, 0, sizeof(*nl));
	nl->proto = proto;
	nl->hdr.nlmsg_len = NLMSG_HDRLEN;
	nl->hdr.nlmsg_type = type;
	nl->hdr.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	nl_add(nl, family, len);
}

static inline void nl_attr(struct nl *nl, int type, const void *data, int len)
{
	struct nlattr attr = { .nla_len = NLA_HDRLEN + len, .nla_type = type };

	nl_add(nl, &attr, sizeof(attr));
	nl_add(nl, data, len);
}

static inline void nl_u8(struct nl *nl, int type, __u8 val)
{
	nl_attr(nl, type, &val, sizeof(val));
}

static inline void nl_u16(struct nl *nl, int type, __u16 val)
{
	nl_attr(nl, type, &val, sizeof(val));
}

static inline void nl_u32(struct nl *nl, int type, __u32 val)
{
	nl_attr(nl, type, &val, sizeof(val));
}

static inline void nl_str(struct nl *nl, int type, const char *val)
{
	nl_attr(nl, type, val, strlen(val) + 1);
}

static inline int nl_nest(struct nl *nl, int type)
{
	int at = nl->hdr.nlmsg_len;

	nl_attr(nl, type | NLA_F_NESTED, NULL, 0);

	return at;
}

static inline void nl_end(struct nl *nl, int at)
{
	((struct nlattr *)(nl->buf + at))->nla_len = nl->hdr.nlmsg_len - at;
}

/* Sends the request and stores the reply. Returns 0 or a negative errno. */
static inline int nl_talk(struct nl *nl)
{
	struct nlmsghdr *hdr = &nl->reply.hdr;
	int fd, len, ret = 1;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, nl->proto);
	if (fd < 0 || send(fd, nl->buf, nl->hdr.nlmsg_len, 0) < 0)
		die("netlink");

	while (ret > 0) {
		len = recv(fd, nl->reply.buf + nl->reply_len,
			   sizeof(nl->reply.buf) - nl->reply_len, 0);
		if (len < 0)
			die("netlink reply");
		hdr = (void *)(nl->reply.buf + nl->reply_len);
		if (hdr->nlmsg_type == NLMSG_ERROR)
			ret = ((struct nlmsgerr *)NLMSG_DATA(hdr))->error;
		else
			nl->reply_len += len;
	}
	close(fd);

	return ret;
}

static inline void nl_genl_init(struct nl *nl, int family, int cmd,
				int version)
{
	struct genlmsghdr genl = { .cmd = cmd, .version = version };

	nl_init(nl, NETLINK_GENERIC, family, 0, &genl, sizeof(genl));
}

static inline void nl_genl(struct nl *nl, const char *family, int cmd)
{
	struct nlattr *attr;
	int id = 0;
	char *end;

	nl_genl_init(nl, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1);
	nl_str(nl, CTRL_ATTR_FAMILY_NAME, family);
	if (nl_talk(nl))
		die("netlink family %s", family);

	end = nl->reply.buf + nl->reply_len;
	attr = (void *)((char *)NLMSG_DATA(&nl->reply.hdr) + GENL_HDRLEN);
	while ((char *)(attr + 1) < end && attr->nla_len >= NLA_HDRLEN) {
		if (attr->nla_type == CTRL_ATTR_FAMILY_ID)
			id = *(__u16 *)(attr + 1);
		attr = (void *)((char *)attr + NLA_ALIGN(attr->nla_len));
	}
	nl_genl_init(nl, id, cmd, 1);
}

#endif /* UDPGSO_NETLINK_H */

/* SPDX-License-Identifier: GPL-2.0 */
/* The guests: requests to their agents, their state and their networks */
#ifndef USO_GUESTS_H
#define USO_GUESTS_H

#include <sys/un.h>

#include "capture.h"

#define WIRE4		"10.79.0.2"
#define WIRE6		"fd79::2"

enum { ON, MULTI, OFF, VHOST, GUESTS, MACHINE, WIRE };
enum net { ROUTED, BRIDGED };

static const char * const names[] = {
	"on", "multi", "off", "vhost", NULL, "machine", "wire",
};

/* A guest; its tap has the same name */
static struct guest {
	int port;		/* -1: no such guest */
	int tap;
	int segments;		/* tx-udp-segmentation; -1: unknown */
	long csum_errors[FAMILIES];
} guests[GUESTS];

static enum net net;
static int wire;

/* Requests */

static struct reply *guest_request(int g, const struct request *req)
{
	static struct reply rep;

	if (!transfer(guests[g].port, (void *)req, sizeof(*req), true) ||
	    !transfer(guests[g].port, &rep, sizeof(rep), false))
		die("guest %s does not answer", names[g]);

	return &rep;
}

static struct reply *guest_traffic(int g, enum op op, const struct traffic *t)
{
	struct request req = { .op = op, .t = *t };
	struct reply *rep = guest_request(g, &req);

	if (rep->text[0]) {
		fail("guest %s:", names[g]);
		printf("%s", rep->text);
	}

	return rep;
}

static __printf(2, 3) struct reply *guest_sh(int g, const char *fmt, ...)
{
	struct request req = { .op = OP_SHELL };
	va_list args;

	va_start(args, fmt);
	vsnprintf(req.text, sizeof(req.text), fmt, args);
	va_end(args);

	return guest_request(g, &req);
}

static __printf(2, 3) bool must_guest(int g, const char *fmt, ...)
{
	struct request req = { .op = OP_SHELL };
	struct reply *rep;
	va_list args;

	va_start(args, fmt);
	vsnprintf(req.text, sizeof(req.text), fmt, args);
	va_end(args);

	rep = guest_request(g, &req);
	if (rep->ret)
		return fail("guest %s: %s: %s", names[g], req.text, rep->text);

	return true;
}

static bool feature_is(int g, const char *name, const char *val)
{
	struct reply *rep = guest_sh(g, "ethtool -k eth0 | grep '%s:'", name);
	char want[128];

	snprintf(want, sizeof(want), "%s: %s\n", name, val);
	if (!strcmp(rep->text, want))
		return true;

	return fail("expected %s: %s, got %s", name, val, rep->text);
}

static bool set_uso(int g, bool on)
{
	if (guests[g].segments == on)
		return true;

	guests[g].segments = -1;
	if (!must_guest(g, "ethtool -K eth0 tx-udp-segmentation %s",
			on ? "on" : "off"))
		return false;
	guests[g].segments = on;

	return true;
}

/* Networks: one per guest, which the host routes, or a bridge; and a tun device of the host */

static void address_of(int who, enum family fam, char *to)
{
	if (who == MACHINE)
		die("the machine has an address for each guest");
	if (who == WIRE)
		sprintf(to, "%s", fam == V4 ? WIRE4 : WIRE6);
	else if (net == BRIDGED)
		sprintf(to, fam == V4 ? "10.78.0.%d" : "fd78::%d", who + 1);
	else
		sprintf(to, fam == V4 ? "10.77.%d.2" : "fd77:0:0:%d::2", who);
}

static void set_net(enum net want)
{
	int g;

	if (net == want)
		return;

	for (g = 0; g < GUESTS; g++)
		if (guests[g].port >= 0)
			must_sh("ip link set %s %s", names[g],
				want == BRIDGED ? "master bridge" : "nomaster");
	net = want;
}

#define GUEST_MAC	"lladdr 02:55:53:4f:00:%02x dev eth0\n"
#define TAP_MAC		"lladdr 02:55:53:4f:01:%02x dev eth0\n"

static bool setup_guest(int g)
{
	int peer;

	if (!must_guest(g, "ip link set eth0 up\n"
			"ip addr add 10.77.%d.2/24 dev eth0\n"
			"ip addr add 10.78.0.%d/24 dev eth0\n"
			"ip -6 addr add fd77:0:0:%d::2/64 dev eth0 nodad\n"
			"ip -6 addr add fd78::%d/64 dev eth0 nodad\n"
			"ip neigh add 10.77.%d.1 " TAP_MAC
			"ip neigh add fd77:0:0:%d::1 " TAP_MAC
			"ip route add default via 10.77.%d.1\n"
			"ip -6 route add default via fd77:0:0:%d::1\n",
			g, g + 1, g, g + 1, g, g + 1, g, g + 1, g, g))
		return false;

	for (peer = 1; peer <= GUESTS; peer++)
		if (!must_guest(g, "ip neigh replace 10.78.0.%d " GUEST_MAC
				"ip neigh replace fd78::%d " GUEST_MAC,
				peer, peer, peer, peer))
			return false;

	return true;
}

static void open_guest(int g, const char *dir)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	snprintf(un.sun_path, sizeof(un.sun_path), "%s/%s", dir, names[g]);
	guests[g].port = socket(AF_UNIX, SOCK_STREAM, 0);
	if (connect(guests[g].port, (struct sockaddr *)&un, sizeof(un)))
		die("connect to guest %s", names[g]);
	guests[g].tap = open_capture(names[g]);
	guests[g].segments = -1;
}

/* The guests boot in parallel */
static void wait_for_guest(int g)
{
	struct request req = { .op = OP_HELLO };

	guest_request(g, &req);
	if (!setup_guest(g))
		die("network of guest %s", names[g]);
}

static void open_wire(void)
{
	wire = open_tun("wire", IFF_TUN | IFF_NO_PI);
	must_sh("ip link set wire up");
	must_sh("ip addr add 10.79.0.1/24 dev wire");
	must_sh("ip -6 addr add fd79::1/64 dev wire nodad");
}

#endif /* USO_GUESTS_H */

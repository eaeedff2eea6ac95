// SPDX-License-Identifier: GPL-2.0
/* Tests sends with UDP_SEGMENT through queueing disciplines and actions that
 * segment, delay or change packets. Checks frames, datagrams and counters.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <linux/net_tstamp.h>
#include <time.h>

#include "udpgso_topo.h"

#define TIMED_AHEAD_NS	150000000LL

static const struct topo queues = {
	"veth with queues", .bare = true,
	.tx = "link add d0 address 02:00:00:00:01:01 numtxqueues 4 "
	      "type veth peer name d1 address 02:00:00:00:01:02 netns rx;"
	      "link add ifb0 numtxqueues 1 type ifb;link set ifb0 up;"
	      "link set d0 up",
	/* avoids neighbour discovery, which the counters would include */
	.tx_more = "neigh add 192.0.2.2 lladdr 02:00:00:00:01:02 dev d0;"
		   "neigh add 2001:db8::2 lladdr 02:00:00:00:01:02 dev d0",
	.rx = "link add ifb0 type ifb;link set ifb0 up",
};

static const struct qdisc {
	const char *name;
	const char *args;
	bool segments;
	int segment_len;		/* shorter payloads are not segmented */
	int clock;		/* for SO_TXTIME; 0: none */
} qdiscs[] = {
	{ "pfifo", "pfifo limit 1000" },
	{ "prio", "prio" },
	{ "fq", "fq" },
	{ "fq with rate", "fq maxrate 400mbit flow_limit 1000" },
	{ "fq, timed", "fq", .clock = CLOCK_MONOTONIC },
	{ "fq_codel", "fq_codel limit 1000 target 5s interval 10s" },
	{ "tbf", "tbf rate 1gbit burst 200kb limit 4mb" },
	{ "tbf, burst below the packet", "tbf rate 400mbit burst 2kb limit 4mb",
	  true, .segment_len = 1900 },
	{ "cake, split-gso", "cake bandwidth 400mbit rtt 10s split-gso", true },
	{ "cake, no-split-gso", "cake unlimited rtt 10s no-split-gso" },
	{ "netem", "netem limit 1000 delay 1ms" },
	{ "netem with rate", "netem limit 1000 rate 400mbit" },
	{ "etf", "etf clockid CLOCK_TAI delta 100000000",
	  .clock = CLOCK_TAI },
	{ "taprio", "taprio num_tc 2 map 0 1 queues 1@0 1@1 base-time 0 "
	  "sched-entry S 03 10000000 clockid CLOCK_TAI" },
};

/* Sends with a transmit time in the future. @size 0 is a plain send. */
static int timed_send(const struct ends *e, int clock, const void *data,
		      int len, int size)
{
	union {
		char buf[CMSG_SPACE(sizeof(__u64)) + CMSG_SPACE(sizeof(__u16))];
		struct cmsghdr align;
	} control = {};
	struct iovec iov = { (void *)data, len };
	struct msghdr msg = {
		.msg_name = (void *)&e->to.sa,
		.msg_namelen = e->to.len,
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = CMSG_SPACE(sizeof(__u64)),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	struct timespec now;
	__u16 gso = size;
	__u64 when;
	int ret;

	clock_gettime(clock, &now);
	when = now.tv_sec * 1000000000ULL + now.tv_nsec + TIMED_AHEAD_NS;
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_TXTIME;
	cmsg->cmsg_len = CMSG_LEN(sizeof(when));
	memcpy(CMSG_DATA(cmsg), &when, sizeof(when));
	if (size) {
		msg.msg_controllen = sizeof(control.buf);
		cmsg = CMSG_NXTHDR(&msg, cmsg);
		cmsg->cmsg_level = SOL_UDP;
		cmsg->cmsg_type = UDP_SEGMENT;
		cmsg->cmsg_len = CMSG_LEN(sizeof(gso));
		memcpy(CMSG_DATA(cmsg), &gso, sizeof(gso));
	}
	ret = sendmsg(e->tx, &msg, 0);

	return ret < 0 ? -errno : ret;
}

static __u64 monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);

	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* All datagrams must arrive, and none of them before its transmit time. Only
 * etf may send up to its delta (100 ms) earlier.
 */
static bool send_timed(const struct ends *e, int clock, int len, int size)
{
	struct expect one = { payload, len, 0, 1 };
	struct expect segs = { payload, len, size, (len + size - 1) / size };
	__u64 start = monotonic_ns();
	__u64 least = clock == CLOCK_TAI ? 50000000 : TIMED_AHEAD_NS;
	int fence = sizeof(fence_text);

	if (!expect_ret("timed send", len,
			timed_send(e, clock, payload, len, size)) ||
	    !expect_ret("timed fence", fence,
			timed_send(e, clock, fence_text, fence, 0)))
		return false;

	return expect_wire(e, e->unsegmented ? &one : &segs, 1) &&
	       expect_rx(e->rx, &e->from, &segs, 1) &&
	       (monotonic_ns() - start >= least || fail("arrived too early"));
}

static bool test_timed(const struct ends *e, int clock)
{
	struct sock_txtime txtime = { .clockid = clock };

	if (setsockopt(e->tx, SOL_SOCKET, SO_TXTIME, &txtime, sizeof(txtime)))
		die("SO_TXTIME");

	return send_timed(e, clock, 2000, 1000) &&
	       send_timed(e, clock, 20001, 1000);
}

/* Counters and backlog of the root qdisc */
struct counters {
	long bytes, packets, backlog;
};

static bool read_counters(struct counters *c)
{
	char line[256];
	bool sent = false;
	FILE *pipe;

	c->backlog = -1;
	pipe = popen("exec tc -s qdisc show dev d0 root", "r");
	if (!pipe)
		die("tc");
	while (fgets(line, sizeof(line), pipe)) {
		if (!sent && sscanf(line, " Sent %ld bytes %ld", &c->bytes,
				    &c->packets) == 2)
			sent = true;
		if (c->backlog < 0)
			sscanf(line, " backlog %ldb", &c->backlog);
	}
	pclose(pipe);

	return sent || fail("no counters");
}

/* The byte counter must include all headers of the datagrams, as with plain
 * sends.
 */
static bool test_counters(const struct ends *e, int len, int size)
{
	struct expect exp = { payload, len, size, (len + size - 1) / size };
	struct gso_send s = { &e->to, payload, len, size };
	int hlen = ETH_HLEN + (e->fam == V6 ? 48 : 28);
	struct counters c[3];
	int i;

	if (!read_counters(&c[0]))
		return false;
	for (i = 1; i < 3; i++) {
		if (i == 1)
			expect_ret("send", len, gso_send(e->tx, &s));
		else
			send_plain(e, payload, len, size);
		send_fence(e->tx, &e->to);
		if (!expect_rx(e->rx, &e->from, &exp, 1) ||
		    !read_counters(&c[i]))
			return false;
	}
	expect_long("bytes of plain sends",
		    len + exp.count * hlen + hlen + sizeof(fence_text),
		    c[2].bytes - c[1].bytes);
	expect_long("bytes", c[2].bytes - c[1].bytes, c[1].bytes - c[0].bytes);
	expect_long("packets", c[2].packets - c[1].packets,
		    c[1].packets - c[0].packets);

	return expect_long("backlog", 0, c[1].backlog) &&
	       expect_long("backlog", 0, c[2].backlog);
}

static const char * const qdisc_features[] = { "", "tx:d0 uso-" };

static void test_qdisc(const struct test_case *tc)
{
	const struct qdisc *q = tc->row;
	struct ends e;

	if (!topo_open(&e, &queues, qdisc_features[tc->dev], tc->fam) ||
	    !tc_in(TX, "qdisc add dev d0 root handle 1: %s", q->args))
		goto close;

	e.unsegmented = !tc->dev && !q->segments;
	e.segment_len = tc->dev ? 0 : q->segment_len;
	if (q->clock)
		test_timed(&e, q->clock);
	else if (send_shapes(&e, MTU, 0))
		test_counters(&e, 20001, 1000);
	tc_in(TX, "qdisc del dev d0 root");
close:
	ends_close(&e);
}

/* Actions at egress of d0 and at ingress of d1 */

#define EGRESS	"qdisc add dev d0 clsact;filter add dev d0 egress matchall "
#define INGRESS	"qdisc add dev d1 clsact;filter add dev d1 ingress matchall "

static const struct action {
	const char *name;
	const char *tx, *rx;
	const char *features;
	bool unsegmented;
	int port;		/* destination port; 0: PORT */
} actions[] = {
	{ "csum", EGRESS "action csum ip and udp", NULL, "", true },
	{ "csum, USO off", EGRESS "action csum ip and udp", NULL,
	  "tx:d0 uso-", false },
	{ "csum, checksum offload off", EGRESS "action csum ip and udp", NULL,
	  "tx:d0 csum-", false },
	{ "csum at ingress", NULL, INGRESS "action csum ip and udp", "",
	  true },
	{ "pedit port and csum",
	  EGRESS "action pedit ex munge udp dport set 4242 pipe "
		 "action csum udp", NULL, "", true, 4000 },
	{ "pedit port and csum, USO off",
	  EGRESS "action pedit ex munge udp dport set 4242 pipe "
		 "action csum udp", NULL, "tx:d0 uso-", false, 4000 },
	{ "redirect to ifb",
	  EGRESS "action mirred egress redirect dev ifb0", NULL, "", true },
	{ "redirect to ifb, ifb USO off",
	  EGRESS "action mirred egress redirect dev ifb0", NULL,
	  "tx:ifb0 uso-", false },
	{ "redirect to ifb, ifb checksum offload off",
	  EGRESS "action mirred egress redirect dev ifb0", NULL,
	  "tx:ifb0 csum-", false },
	{ "ingress redirect to ifb", NULL,
	  INGRESS "action mirred egress redirect dev ifb0", "", true },
	{ "ingress redirect to ifb, ifb USO off", NULL,
	  INGRESS "action mirred egress redirect dev ifb0", "rx:ifb0 uso-",
	  true },
	{ "egress mirror to ifb",
	  EGRESS "action mirred egress mirror dev ifb0", NULL, "", true },
};

static void test_action(const struct test_case *tc)
{
	const struct action *a = tc->row;
	struct ends e;

	if (!topo_open(&e, &queues, a->features, tc->fam))
		goto close;
	if (!tc_in(TX, "%s", a->tx ? a->tx : "") ||
	    !tc_in(RX, "%s", a->rx ? a->rx : ""))
		goto undo;

	e.unsegmented = a->unsegmented;
	if (a->port)
		e.to.v4.sin_port = htons(a->port);
	send_shapes(&e, MTU, 0);
undo:
	if (a->tx)
		tc_in(TX, "qdisc del dev d0 clsact");
	if (a->rx)
		tc_in(RX, "qdisc del dev d1 clsact");
close:
	ends_close(&e);
}

/* Packets are redirected to the ingress of another device. */

static const struct topo ingress_topo = {
	"turned", .end = "g", .wire = "d1",
	.tx_more = "neigh add 192.0.2.2 lladdr 02:00:00:00:01:02 dev d0;"
		   "neigh add 2001:db8::2 lladdr 02:00:00:00:01:02 dev d0",
	.rx = "link add g address 02:00:00:00:01:02 type dummy",
};

static void test_ingress(const struct test_case *tc)
{
	struct ends e;

	if (!topo_up(&ingress_topo, ""))
		return;
	if (!tc_in(RX, INGRESS "action mirred ingress redirect dev g") ||
	    !topo_open(&e, &ingress_topo, "", tc->fam))
		goto undo;
	e.unsegmented = true;
	send_shapes(&e, MTU, 0);
undo:
	tc_in(RX, "qdisc del dev d1 clsact");
	ends_close(&e);
}

int main(int argc, char **argv)
{
	enum family fam;
	size_t i, j;

	topo_init();
	for (i = 0; i < ARRAY_SIZE(qdiscs); i++)
		for (fam = V4; fam <= V6; fam++)
			for (j = 0; j < ARRAY_SIZE(qdisc_features); j++)
				add_case(test_qdisc, &qdiscs[i], fam, j,
					 "%s: %s%s", qdiscs[i].name,
					 family_name[fam],
					 j ? ", USO off" : "");
	for (i = 0; i < ARRAY_SIZE(actions); i++)
		for (fam = V4; fam <= V6; fam++)
			add_case(test_action, &actions[i], fam, 0, "%s: %s",
				 actions[i].name, family_name[fam]);
	for (fam = V4; fam <= V6; fam++)
		add_case(test_ingress, NULL, fam, 0,
			 "redirect to ingress: %s", family_name[fam]);
	run_cases(argc > 1 ? argv[1] : NULL);

	return 0;
}

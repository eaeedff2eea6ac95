// SPDX-License-Identifier: GPL-2.0
/* Two tasks on two CPUs make segmented sends. Meanwhile each case repeats one change: the device goes down and up, moves
 * to another namespace and back, or gets another MTU, other features or another qdisc, or one of the CPUs goes offline
 * and online. Each case has a number of rounds and a timeout.
 *
 *	devices [FILTER]
 *
 * Each datagram that arrives must be correct, and no more datagrams may arrive than were sent. At the end, SIOCOUTQ
 * must be 0, and the sockets must be able to send.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>

#include "udpgso_topo.h"

#define SENDERS		2
#define ROUNDS		16
#define ROUND_READS	1000	/* datagrams */
#define TIMEOUT_S	600	/* the debug kernel is slow, and its host may be busy */
#define SEND_LEN	20001
#define SEND_SIZE	1200

static const struct expect sent_data = { payload, SEND_LEN, SEND_SIZE, (SEND_LEN + SEND_SIZE - 1) / SEND_SIZE };

static struct ends ends;
static atomic_bool stop, must_pause;

struct sender {
	pthread_t thread;
	int fd, cpu;
	long sent, refused;
	atomic_long on_cpu;	/* sends from that CPU */
	atomic_bool paused;
	int last_error;
};

static struct sender senders[SENDERS];

static bool link_down_up(int round)
{
	return ip_in(TX, "link set d0 %s", round & 1 ? "up" : "down");
}

static bool link_mtu(int round)
{
	static const int mtus[] = { 1280, 1500, 9000, 1300 };

	return ip_in(TX, "link set d0 mtu %d", mtus[round % ARRAY_SIZE(mtus)]);
}

static bool link_features(int round)
{
	static const char * const words[] = { "uso", "csum", "sg", "gso" };
	char text[64];

	snprintf(text, sizeof(text), "tx:d0 %s%c", words[round / 2 % ARRAY_SIZE(words)], round & 1 ? '+' : '-');

	return set_features(text, false);
}

static bool link_to_other_ns(int round)
{
	if (!(round & 1))
		return ip_in(TX, "link set d0 netns mid");

	return ip_in(MID, "link set d0 netns tx") &&
	       ip_in(TX, "link set d0 up;addr add 192.0.2.1/24 dev d0;addr add 2001:db8::1/64 dev d0 nodad");
}

static bool qdisc_replaced(int round)
{
	static const char * const queues[] = {
		"tbf rate 1gbit burst 4000 limit 400000", "pfifo limit 10", "fq", "noqueue",
	};

	return tc_in(TX, "qdisc replace dev d0 root %s", queues[round % ARRAY_SIZE(queues)]);
}

static bool cpu_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);

	return !sched_setaffinity(0, sizeof(set), &set);
}

static void *sender_main(void *arg)
{
	struct sender *s = arg;
	struct gso_send gso = { &ends.to, payload, SEND_LEN, SEND_SIZE };
	struct gso_msg *msg = malloc(sizeof(*msg));

	if (!msg || !cpu_pin(s->cpu))
		die("CPU %d", s->cpu);
	fill_msg(msg, &gso);
	while (!stop) {
		s->paused = must_pause;
		if (s->paused) {
			usleep(200);
			continue;
		}
		/* When a CPU goes offline, its tasks move to another one. */
		if (sched_getcpu() != s->cpu)
			cpu_pin(s->cpu);
		if (sendmsg(s->fd, &msg->hdr, MSG_DONTWAIT) >= 0) {
			s->sent++;
			s->on_cpu += sched_getcpu() == s->cpu;
		} else {
			s->refused++;
			s->last_error = errno;
		}
		usleep(200);	/* The programs that change the device need a CPU too. */
	}
	free(msg);

	return NULL;
}

/* Returns true if this is one of the datagrams of a send. */
static bool is_segment(const unsigned char *buf, int len)
{
	int at;

	for (at = 0; at < SEND_LEN; at += SEND_SIZE) {
		int want = SEND_LEN - at < SEND_SIZE ? SEND_LEN - at : SEND_SIZE;

		if (len == want && !memcmp(buf, payload + at, len))
			return true;
	}

	return false;
}

/* Reads up to @max datagrams, because the senders may be faster. Returns their number. */
static long read_up_to(long max)
{
	static unsigned char buf[1 << 16];
	long nr = 0;
	int ret;

	while (nr < max && (ret = recv(ends.rx, buf, sizeof(buf), 0)) >= 0) {
		nr++;
		if (!case_failed && !is_segment(buf, ret))
			fail("a datagram of %d bytes that was not sent", ret);
	}

	return nr;
}

/* The CPU that goes offline. It receives and frees the segments of the sends on the other CPU. */
#define CPU		1
#define CPU_ONLINE	"/sys/devices/system/cpu/cpu1/online"
#define CPU_SENDS	16	/* fill the CPU's cache of pages for heads */
#define CPU_PAGES	9
#define TRACING		"/sys/kernel/tracing/"
#define PAGE_FREE	TRACING "events/kmem/mm_page_free/"

/* The trace has a stack for each page that a kworker frees. A kworker takes the CPU offline. */
static bool frees_traced(void)
{
	sh("mount -t tracefs tracefs " TRACING " 2>&-");

	return !sh("grep -q stacktrace:unlimited " PAGE_FREE "trigger || echo stacktrace >" PAGE_FREE "trigger") &&
	       !sh("echo 'comm ~ \"kworker*\"' >" PAGE_FREE "filter") &&
	       !sh("echo 1 >" PAGE_FREE "enable");
}

static long count_released_pages(void)
{
	long nr = -1;
	FILE *pipe = popen("grep -c '=> dev_cpu_dead' " TRACING "trace", "r");

	if (!pipe || fscanf(pipe, "%ld", &nr) != 1)
		die("trace");
	pclose(pipe);

	return nr;
}

static bool cpu_ready(void)
{
	int ret;

	enter(RX);
	ret = sh("unshare -m sh -c 'mount -t sysfs sysfs /sys; cd /sys/class/net/d1/queues/; ! cd rx-0 2>&- || echo %x >rps_cpus'",
		 1 << CPU);
	enter(TX);

	return (!ret && frees_traced() && cpu_pin(CPU)) || fail("no tracing, or no CPU %d", CPU);
}

static bool cpu_online(void)
{
	return !sh("echo 1 >" CPU_ONLINE) || fail("CPU %d does not go online", CPU);
}

/* Pauses the senders and reads all datagrams, also from the packet socket, so that no segment refers to a page. */
static void pause_senders(void)
{
	int i, empty = 0;

	must_pause = true;
	for (i = 0; i < SENDERS; i++)
		while (!senders[i].paused)
			read_up_to(ROUND_READS);
	while (empty < 20) {
		empty = read_up_to(ROUND_READS) ? 0 : empty + 1;
		usleep(1000);
	}
	drain_wire();
}

/* The senders are paused in the first round, which checks the number of released pages, and run in all other rounds. */
static bool cpu_off_on(int round)
{
	long sent = senders[CPU].on_cpu, pages;

	if (round & 1)
		return cpu_online() && (cpu_pin(CPU) || fail("CPU %d is not online", CPU));

	while (senders[CPU].on_cpu < sent + CPU_SENDS)
		read_up_to(ROUND_READS);
	if (!round)
		pause_senders();
	if (sh("echo >" TRACING "trace") || sh("echo 0 >" CPU_ONLINE))
		return fail("CPU %d does not go offline", CPU);
	pages = count_released_pages();
	if (!must_pause)
		return true;
	must_pause = false;

	return pages >= CPU_PAGES || fail("CPU %d went offline and has released %ld pages, not %d", CPU, pages, CPU_PAGES);
}

static const struct change {
	const char *name;
	bool (*change)(int round);
	const char *restore;	/* for ip */
	const char *features;
	bool (*ready)(void);
	bool (*after)(void);
} changes[] = {
	{ "down and up", link_down_up, "link set d0 up" },
	{ "MTU", link_mtu, "link set d0 mtu 1500" },
	{ "features", link_features, "" },
	{ "to another namespace", link_to_other_ns, "" },
	{ "queue", qdisc_replaced, "" },
	{ "CPU", cpu_off_on, "", "tx:d0 uso-", cpu_ready, cpu_online },
};

/* The datagrams that UDP dropped for their checksum, over IPv4 ("Udp: names", then "Udp: values") and IPv6 (a line each) */
static long bad_checksums(void)
{
	static const char cmd[] =
		"awk '$1 == \"Udp:\" { if (!n++) split($0, name); else for (i in name) if (name[i] == \"InCsumErrors\") s += $i }"
		"$1 == \"Udp6InCsumErrors\" { s += $2 } END { print s + 0 }' /proc/net/snmp /proc/net/snmp6";
	long value = -1;
	FILE *pipe;

	enter(RX);
	pipe = popen(cmd, "r");
	if (!pipe || fscanf(pipe, "%ld", &value) != 1)
		die("awk");
	pclose(pipe);
	enter(TX);

	return value;
}

static void start_senders(enum family fam)
{
	int i;

	stop = false;
	must_pause = false;
	for (i = 0; i < SENDERS; i++) {
		struct sender *s = &senders[i];
		struct addr local;

		*s = (struct sender) { .cpu = i };
		s->fd = udp_socket(socket_domain(fam), IPPROTO_UDP, 0);
		bind_any(s->fd, socket_domain(fam), &local);
		if (pthread_create(&s->thread, NULL, sender_main, s))
			die("thread");
	}
}

static long end_senders(void)
{
	long sent = 0;
	int i;

	stop = true;
	for (i = 0; i < SENDERS; i++) {
		struct sender *s = &senders[i];

		pthread_join(s->thread, NULL);
		printf("# CPU %d: %ld sends, %ld refused%s%s\n", s->cpu, s->sent, s->refused,
		       s->refused ? ", the last one: " : "", s->refused ? strerror(s->last_error) : "");
		if (!s->sent)
			fail("nothing was sent");
		expect_outq_empty(s->fd);
		sent += s->sent;
	}

	return sent * sent_data.count;
}

/* After the changes have stopped, the socket of each sender must still be able to send. */
static void send_again(void)
{
	struct gso_send gso = { &ends.to, payload, SEND_LEN, SEND_SIZE };
	int i;

	for (i = 0; i < SENDERS && !case_failed; i++) {
		expect_ret("send afterwards", SEND_LEN, gso_send(senders[i].fd, &gso));
		send_fence(senders[i].fd, &ends.to);
		expect_rx(ends.rx, NULL, &sent_data, 1);
		expect_outq_empty(senders[i].fd);
	}
}

static void test_change(const struct test_case *tc)
{
	static const struct topo veth = { "veth" };
	const struct change *change = tc->row;
	long got = 0, sent;
	int i;

	alarm(TIMEOUT_S);
	topo_now = NULL;
	if (!topo_open(&ends, &veth, change->features ? : "", tc->fam) || (change->ready && !change->ready()))
		goto close;
	set_sysctl("ipv6/conf/all/keep_addr_on_down", "1");
	start_senders(tc->fam);
	for (i = 0; i < ROUNDS && change->change(i) && !case_failed; i++)
		got += read_up_to(ROUND_READS);
	if (change->after)
		change->after();
	sent = end_senders();
	if (ip_in(TX, "%s", change->restore) && path_ready(&ends)) {
		got += read_up_to(LONG_MAX);
		printf("# %ld datagrams sent, %ld arrived\n", sent, got);
		if (!got || got > sent)
			fail("%ld datagrams have arrived of %ld", got, sent);
		send_again();
		expect_long("checksums that were wrong", 0, bad_checksums());
	}
	for (i = 0; i < SENDERS; i++)
		close(senders[i].fd);
close:
	ends_close(&ends);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	size_t i;
	enum family fam;

	topo_init();
	for (i = 0; i < ARRAY_SIZE(changes); i++)
		for (fam = V4; fam <= V6; fam++)
			add_case(test_change, &changes[i], fam, 0, "%s v%d", changes[i].name, fam == V6 ? 6 : 4);
	run_cases(argc > 1 ? argv[1] : NULL);
}

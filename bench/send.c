// SPDX-License-Identifier: GPL-2.0
/* Sends bursts of datagrams in several equal runs and prints the lowest number
 * of instructions of a run as JSON. The same process also receives, reads the
 * tun device or reads the completions, so that the CPU runs no other process.
 *
 *	send [-4|-6] -D ADDR -s BURST -d SIZE|-S SIZE [OPTION]...
 *	-D ADDR		destination
 *	-s BURST	bytes per burst
 *	-d SIZE		sends each datagram of SIZE bytes with one call
 *	-S SIZE		sends the burst with one call, with UDP_SEGMENT set to SIZE
 *	-m		sends the burst with one sendmmsg()
 *	-z		MSG_ZEROCOPY
 *	-I BYTES	uses iovec entries of BYTES
 *	-M BYTES	makes one call with MSG_MORE for each BYTES of the burst
 *	-R here|NETNS	receives in this or in another network namespace
 *	-G		receives with UDP_GRO
 *	-T DEVICE	reads the packets from this tun device
 *	-V		reads them with virtio headers
 *	-H		prints the truesize of one queued burst instead of instructions
 *	-P		prints the memory of queued bursts instead of instructions
 *	-W		sends all bursts of a run, and then waits until all packets have
 *			left. WireGuard encrypts in a worker, which runs while the sender
 *			waits. With -R, it then reads the datagrams. With -H and -P, waits
 *			after each burst
 *	-t		sends TCP segments of SIZE bytes, without a receiver
 *	-w N, -n N, -r N  warm-up bursts, bursts per run, runs
 *
 * Exit status 4: the kernel does not have the socket option, or refuses
 * UDP_SEGMENT with IPsec.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <error.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/errqueue.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#define PORT		8000
#define UNSUPPORTED	4
#define PIECES_MAX	1024	/* iovec entries, or messages of sendmmsg() */
#define VNET_HDR_LEN	10
#define TCPOPT_TIMESTAMP	8
#define TIMESTAMP_LEN	12	/* bytes of this option and its padding */
#define WAIT_TRIES	100000	/* for a datagram, with -W */
#define QUEUED_BURSTS	64	/* so that partly filled slabs do not matter */
#define OFFLOADS	(TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6)
#define OFFLOADS_USO	(OFFLOADS | TUN_F_USO4 | TUN_F_USO6)

static int family = AF_INET;
static const char *dest, *tun, *receiver;
static unsigned long burst, size, piece, warm, bursts = 1, runs = 1;
static bool gso, gro, many, more, zerocopy, vnet, queued, memory, tcp, waits;

static char buffer[1 << 16];
static struct iovec iov[PIECES_MAX];
static struct mmsghdr messages[PIECES_MAX];
static unsigned long message, pieces, calls;
static int tx = -1, rx = -1;
static struct sockaddr_storage to;
static socklen_t to_len;

/* The plugin bench/count.c finds the measured part by these functions. */
#define MARK __attribute__((noinline, noclone, section(".mark")))

MARK void mark_begin(void)
{
	asm volatile("" ::: "memory");
}

MARK void mark_end(void)
{
	asm volatile("" ::: "memory");
}

MARK void mark_done(void)
{
	asm volatile("" ::: "memory");
}

static void set(int fd, int level, int name, const char *what, int val)
{
	if (!setsockopt(fd, level, name, &val, sizeof(val)))
		return;
	error(errno == ENOPROTOOPT ? UNSUPPORTED : 1, errno, "%s", what);
}

static int udp_socket(void)
{
	int fd = socket(family, SOCK_DGRAM, 0);

	if (fd < 0)
		error(1, errno, "socket");
	set(fd, SOL_SOCKET, SO_RCVBUFFORCE, "SO_RCVBUFFORCE", 16 << 20);
	set(fd, SOL_SOCKET, SO_SNDBUFFORCE, "SO_SNDBUFFORCE", 4 << 20);
	return fd;
}

static void enter(const char *path, int ns)
{
	if (ns < 0 || setns(ns, CLONE_NEWNET))
		error(1, errno, "%s", path);
	close(ns);
}

/* A socket stays in the namespace that it was opened in. */
static int open_receiver(void)
{
	int here = open("/proc/self/ns/net", O_RDONLY);
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", receiver);
	if (strcmp(receiver, "here"))
		enter(path, open(path, O_RDONLY));
	fd = udp_socket();
	if (gro)
		set(fd, IPPROTO_UDP, UDP_GRO, "UDP_GRO", 1);
	if (bind(fd, (void *)&to, to_len))
		error(1, errno, "bind");
	enter("here", here);
	return fd;
}

static int open_tun(void)
{
	struct ifreq ifr = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int tries, fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);

	ifr.ifr_flags |= vnet ? IFF_VNET_HDR : 0;
	strncpy(ifr.ifr_name, tun, IFNAMSIZ - 1);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr))
		error(1, errno, "%s", tun);
	/* A kernel without UDP GSO refuses the USO bits. Plain sends do not need
	 * them.
	 */
	if (vnet && ioctl(fd, TUNSETOFFLOAD, OFFLOADS_USO) &&
	    (gso || ioctl(fd, TUNSETOFFLOAD, OFFLOADS)))
		error(UNSUPPORTED, errno, "TUNSETOFFLOAD");
	/* The device drops packets until linkwatch has noticed the reader. */
	for (tries = 0; tries < 2000; tries++) {
		if (ioctl(tx, SIOCGIFFLAGS, &ifr))
			error(1, errno, "%s: SIOCGIFFLAGS", tun);
		if (ifr.ifr_flags & IFF_RUNNING)
			return fd;
		usleep(1000);
	}
	error(1, 0, "%s: not running after 2 s", tun);
	return -1;
}

/* Makes a connection with TCP_REPAIR, which needs no peer. The segments are
 * never acknowledged. The route must have an initial congestion window that is
 * large enough for all of them. Closes the previous connection.
 */
static void connect_tcp(void)
{
	struct tcp_repair_opt options = { .opt_code = TCPOPT_TIMESTAMP };
	struct tcp_repair_window window;
	socklen_t len = sizeof(window);

	if (tx >= 0) {
		set(tx, IPPROTO_TCP, TCP_REPAIR, "TCP_REPAIR", TCP_REPAIR_ON);
		close(tx); /* sends nothing */
	}
	tx = socket(family, SOCK_STREAM, 0);
	if (tx < 0)
		error(1, errno, "socket");
	set(tx, SOL_SOCKET, SO_SNDBUFFORCE, "SO_SNDBUFFORCE", 16 << 20);
	set(tx, IPPROTO_TCP, TCP_NODELAY, "TCP_NODELAY", 1);
	set(tx, IPPROTO_TCP, TCP_REPAIR, "TCP_REPAIR", TCP_REPAIR_ON);
	set(tx, IPPROTO_TCP, TCP_MAXSEG, "TCP_MAXSEG", size + TIMESTAMP_LEN);
	if (connect(tx, (void *)&to, to_len))
		error(1, errno, "connect");
	if (setsockopt(tx, IPPROTO_TCP, TCP_REPAIR_OPTIONS, &options, sizeof(options)))
		error(1, errno, "TCP_REPAIR_OPTIONS");
	if (getsockopt(tx, IPPROTO_TCP, TCP_REPAIR_WINDOW, &window, &len))
		error(1, errno, "TCP_REPAIR_WINDOW");
	window.snd_wnd = 1 << 30;
	window.max_window = window.snd_wnd;
	if (setsockopt(tx, IPPROTO_TCP, TCP_REPAIR_WINDOW, &window, len))
		error(1, errno, "TCP_REPAIR_WINDOW");
	set(tx, IPPROTO_TCP, TCP_REPAIR, "TCP_REPAIR", TCP_REPAIR_OFF_NO_WP);
}

static void open_sockets(void)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	bool is6 = family == AF_INET6;

	if (!dest || inet_pton(family, dest,
			       is6 ? (void *)&v6.sin6_addr : (void *)&v4.sin_addr) != 1)
		error(1, 0, "no address: -D");
	to_len = is6 ? sizeof(v6) : sizeof(v4);
	memcpy(&to, is6 ? (void *)&v6 : (void *)&v4, to_len);
	if (tcp)
		return;
	tx = udp_socket();
	if (gso)
		set(tx, IPPROTO_UDP, UDP_SEGMENT, "UDP_SEGMENT", size);
	if (zerocopy)
		set(tx, SOL_SOCKET, SO_ZEROCOPY, "SO_ZEROCOPY", 1);
	if (receiver)
		rx = open_receiver();
	if (tun)
		rx = open_tun();
	if (connect(tx, (void *)&to, to_len))
		error(1, errno, "connect");
}

/* All messages point to the same payload. */
static void prepare(void)
{
	unsigned long i;

	message = gso ? burst : size;
	if (!size || !burst || burst % size || message > sizeof(buffer) ||
	    burst / message > PIECES_MAX)
		error(1, 0, "-s does not fit -S or -d");
	if (!piece)
		piece = message;
	pieces = (message + piece - 1) / piece;
	if (pieces > PIECES_MAX)
		error(1, 0, "too many pieces");
	for (i = 0; i < pieces; i++) {
		iov[i].iov_base = buffer + i * piece;
		iov[i].iov_len = i < pieces - 1 ? piece : message - i * piece;
	}
	for (i = 0; i < burst / message; i++) {
		messages[i].msg_hdr.msg_iov = iov;
		messages[i].msg_hdr.msg_iovlen = pieces;
	}
}

/* Stock refuses UDP_SEGMENT with IPsec: EIO. */
static void check(ssize_t n, unsigned long wanted, const char *call)
{
	if (n != (ssize_t)wanted)
		error(gso && n < 0 && errno == EIO ? UNSUPPORTED : 1, errno, "%s: %zd, not %lu", call, n, wanted);
	calls++;
}

static void send_message(int flags)
{
	unsigned long i;

	if (pieces == 1) {
		check(send(tx, buffer, message, flags), message, "send");
	} else if (!more) {
		check(sendmsg(tx, &messages[0].msg_hdr, flags), message, "sendmsg");
	} else {
		for (i = 0; i < pieces; i++)
			check(send(tx, iov[i].iov_base, iov[i].iov_len,
				   flags | (i < pieces - 1 ? MSG_MORE : 0)),
			      iov[i].iov_len, "send");
	}
}

static void read_completions(unsigned long sent)
{
	char control[CMSG_SPACE(sizeof(struct sock_extended_err)) + 128];
	struct msghdr msg = { .msg_control = control };
	struct sock_extended_err err;

	while (sent) {
		msg.msg_controllen = sizeof(control);
		if (recvmsg(tx, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			error(1, errno, "%lu completions are missing", sent);
		memcpy(&err, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(err));
		if (err.ee_code & SO_EE_CODE_ZEROCOPY_COPIED)
			error(1, 0, "MSG_ZEROCOPY has copied the payload");
		sent -= err.ee_data - err.ee_info + 1;
		calls++;
	}
}

static void drain(void)
{
	unsigned long header = 0, tries = waits ? WAIT_TRIES : 0, got;
	ssize_t n;

	if (tun)
		header = (family == AF_INET6 ? 48 : 28) + (vnet ? VNET_HDR_LEN : 0);
	for (got = 0; got < burst; got += n - header) {
		do
			n = tun ? read(rx, buffer, sizeof(buffer)) :
				  recv(rx, buffer, sizeof(buffer), MSG_DONTWAIT);
		while (n < 0 && errno == EAGAIN && tries-- && !sched_yield());
		if (n <= (ssize_t)header)
			error(1, errno, "%lu of %lu bytes arrived", got, burst);
		calls++;
	}
}

static unsigned int charged(void)
{
	unsigned int info[SK_MEMINFO_VARS];
	socklen_t len = sizeof(info);

	if (getsockopt(tx, SOL_SOCKET, SO_MEMINFO, info, &len))
		error(1, errno, "SO_MEMINFO");
	return info[SK_MEMINFO_WMEM_ALLOC];
}

static void transfer(void)
{
	unsigned long i, n = burst / message, before = calls;
	int flags = zerocopy ? MSG_ZEROCOPY : 0;

	if (many)
		check(sendmmsg(tx, messages, n, flags), n, "sendmmsg");
	else
		for (i = 0; i < n; i++)
			send_message(flags);
	if (zerocopy)
		read_completions(calls - before);
	if (rx >= 0 && !waits)
		drain();
}

static void set_policy(int policy)
{
	struct sched_param param = { .sched_priority = policy == SCHED_FIFO ? 2 : 0 };

	if (sched_setscheduler(0, policy, &param))
		error(1, errno, "sched_setscheduler");
}

static void transfer_all(unsigned long n)
{
	unsigned long i;

	for (i = 0; i < n; i++)
		transfer();
	if (!waits)
		return;
	set_policy(SCHED_IDLE);
	while (charged()) /* with the packets that have not left */
		sched_yield();
	for (i = 0; i < n && rx >= 0; i++)
		drain();
}

/* With -W, a worker does not preempt the sender while it sends, and the waiting
 * sender does not preempt a worker. So the number of context switches is always
 * the same. bench/devices sets the priority of the workers to 1.
 */
static void prepare_run(void)
{
	if (tcp)
		connect_tcp();
	if (waits)
		set_policy(SCHED_FIFO);
}

static unsigned long long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static void print(const char *what, unsigned long long value)
{
	printf("{\"calls\": %lu, \"datagrams\": %lu, \"bytes\": %lu, \"%s\": %llu}\n",
	       calls, bursts * (burst / size), bursts * burst, what, value);
}

/* Free pages, including those on the per-CPU lists. */
static long free_memory(void)
{
	long pages = 0, n;
	char line[256];
	FILE *f;

	f = fopen("/proc/sys/vm/stat_refresh", "w");
	if (!f || fputs("1", f) < 0 || fclose(f))
		error(1, errno, "stat_refresh");
	f = fopen("/proc/zoneinfo", "r");
	if (!f)
		error(1, errno, "zoneinfo");
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, " pages free %ld", &n) == 1 || sscanf(line, " count: %ld", &n) == 1)
			pages += n;
	fclose(f);
	return pages * sysconf(_SC_PAGESIZE);
}

/* With -W, waits until the workers have nothing to do. */
static void let_workers_run(void)
{
	if (waits)
		usleep(100000);
}

/* The queue sends the first datagram and keeps the others. Exit status 5: a
 * packet of the kernel, for instance an MLD report, was sent before the first
 * datagram.
 */
static void measure_memory(void)
{
	unsigned long i;
	long before;

	if (tcp)
		connect_tcp();
	if (send(tx, buffer, size, 0) < 0)
		error(1, errno, "send");
	let_workers_run();
	if (charged())
		error(5, 0, "the queue did not send the first datagram");
	bursts = memory ? QUEUED_BURSTS : 1;
	before = free_memory();
	for (i = 0; i < bursts; i++) {
		transfer();
		let_workers_run();
	}
	if (memory)
		print("memory", before - free_memory());
	else
		print("truesize", charged());
}

static void measure_instructions(void)
{
	unsigned long long ns, least = ULLONG_MAX;

	prepare_run();
	transfer_all(warm);
	while (runs--) {
		prepare_run();
		calls = 0;
		ns = now();
		mark_begin();
		transfer_all(bursts);
		mark_end();
		ns = now() - ns;
		if (ns < least)
			least = ns;
	}
	mark_done();
	print("ns", least);
}

int main(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "46D:GHI:M:PR:S:T:VWd:mn:r:s:tw:z")) != -1) {
		switch (c) {
		case '4': case '6': family = c == '6' ? AF_INET6 : AF_INET; break;
		case 'D': dest = optarg; break;
		case 'G': gro = true; break;
		case 'H': queued = true; break;
		case 'M': more = true; /* fall through */
		case 'I': piece = strtoul(optarg, NULL, 0); break;
		case 'P': queued = memory = true; break;
		case 'R': receiver = optarg; break;
		case 'S': gso = true; /* fall through */
		case 'd': size = strtoul(optarg, NULL, 0); break;
		case 'T': tun = optarg; break;
		case 'V': vnet = true; break;
		case 'W': waits = true; break;
		case 'm': many = true; break;
		case 'n': bursts = strtoul(optarg, NULL, 0); break;
		case 'r': runs = strtoul(optarg, NULL, 0); break;
		case 's': burst = strtoul(optarg, NULL, 0); break;
		case 't': tcp = true; break;
		case 'w': warm = strtoul(optarg, NULL, 0); break;
		case 'z': zerocopy = true; break;
		default: return 2;
		}
	}
	prepare();
	open_sockets();
	if (queued)
		measure_memory();
	else
		measure_instructions();
	return 0;
}

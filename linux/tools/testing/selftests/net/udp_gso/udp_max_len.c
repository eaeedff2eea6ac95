// SPDX-License-Identifier: GPL-2.0
/* Tests that the longest UDP payload is limited by the IP length field, also
 * on a device with a larger MTU. Checks the longest payload and one byte more.
 */

#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../kselftest_harness.h"

#define LARGE_MTU	100000

FIXTURE(udp_max_len)
{
	struct sockaddr_storage addr;
	socklen_t addr_len;
	int fd;
	int rx;
	char payload[0xffff];
};

FIXTURE_VARIANT(udp_max_len)
{
	int family;
	int level;
	int option;
	int pmtudisc;
	unsigned int max;	/* length of the longest payload */
};

FIXTURE_VARIANT_ADD(udp_max_len, v4_probe)
{
	.family = AF_INET,
	.level = SOL_IP,
	.option = IP_MTU_DISCOVER,
	.pmtudisc = IP_PMTUDISC_PROBE,
	.max = 65507,
};

FIXTURE_VARIANT_ADD(udp_max_len, v4_interface)
{
	.family = AF_INET,
	.level = SOL_IP,
	.option = IP_MTU_DISCOVER,
	.pmtudisc = IP_PMTUDISC_INTERFACE,
	.max = 65507,
};

FIXTURE_VARIANT_ADD(udp_max_len, v4_want)
{
	.family = AF_INET,
	.level = SOL_IP,
	.option = IP_MTU_DISCOVER,
	.pmtudisc = IP_PMTUDISC_WANT,
	.max = 65507,
};

FIXTURE_VARIANT_ADD(udp_max_len, v6_probe)
{
	.family = AF_INET6,
	.level = SOL_IPV6,
	.option = IPV6_MTU_DISCOVER,
	.pmtudisc = IPV6_PMTUDISC_PROBE,
	.max = 65527,
};

static int lo_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_mtu = LARGE_MTU };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), err;

	err = ioctl(fd, SIOCSIFMTU, &ifr);
	ifr.ifr_flags = IFF_UP;
	err = err ? : ioctl(fd, SIOCSIFFLAGS, &ifr);
	close(fd);

	return err;
}

FIXTURE_SETUP(udp_max_len)
{
	struct sockaddr_in6 *sin6 = (void *)&self->addr;
	struct sockaddr_in *sin = (void *)&self->addr;
	int size = 1 << 20;

	ASSERT_EQ(unshare(CLONE_NEWNET), 0);
	ASSERT_EQ(lo_up(), 0);

	self->addr.ss_family = variant->family;
	if (variant->family == AF_INET) {
		sin->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		self->addr_len = sizeof(*sin);
	} else {
		sin6->sin6_addr = in6addr_loopback;
		self->addr_len = sizeof(*sin6);
	}

	self->rx = socket(variant->family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	ASSERT_GE(self->rx, 0);
	ASSERT_EQ(bind(self->rx, (void *)&self->addr, self->addr_len), 0);
	ASSERT_EQ(getsockname(self->rx, (void *)&self->addr, &self->addr_len),
		  0);

	self->fd = socket(variant->family, SOCK_DGRAM, 0);
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(connect(self->fd, (void *)&self->addr, self->addr_len), 0);
	ASSERT_EQ(setsockopt(self->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size,
			     sizeof(size)), 0);
	ASSERT_EQ(setsockopt(self->fd, variant->level, variant->option,
			     &variant->pmtudisc, sizeof(int)), 0);
	memset(self->payload, 'x', sizeof(self->payload));
}

FIXTURE_TEARDOWN(udp_max_len)
{
	close(self->fd);
	close(self->rx);
}

TEST_F(udp_max_len, longest)
{
	ASSERT_EQ(send(self->fd, self->payload, variant->max, 0), variant->max);
	EXPECT_EQ(recv(self->rx, self->payload, sizeof(self->payload), 0),
		  variant->max);
}

TEST_F(udp_max_len, a_byte_longer)
{
	ASSERT_EQ(send(self->fd, self->payload, variant->max + 1, 0), -1);
	EXPECT_EQ(errno, EMSGSIZE);
}

TEST_F(udp_max_len, a_byte_longer_in_pieces)
{
	ASSERT_EQ(send(self->fd, self->payload, variant->max, MSG_MORE),
		  variant->max);
	ASSERT_EQ(send(self->fd, self->payload, 1, 0), -1);
	EXPECT_EQ(errno, EMSGSIZE);
}

TEST_HARNESS_MAIN

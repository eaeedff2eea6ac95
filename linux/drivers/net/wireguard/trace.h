/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM wireguard

#if !defined(_WG_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _WG_TRACE_H

#include "queueing.h"

#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/tracepoint.h>

TRACE_EVENT(wg_gso_encrypt,

	TP_PROTO(const struct sk_buff *skb, unsigned int outer),

	TP_ARGS(skb, outer),

	TP_STRUCT__entry(
		__string(name, skb->dev->name)
		__field(unsigned int, len)
		__field(unsigned int, gso_size)
		__field(unsigned int, gso_type)
		__field(unsigned int, segs)
		__field(unsigned int, outer)
	),

	TP_fast_assign(
		__assign_str(name);
		__entry->len = skb->len;
		__entry->gso_size = skb_shinfo(skb)->gso_size;
		__entry->gso_type = skb_shinfo(skb)->gso_type;
		__entry->segs = PACKET_CB(skb)->segs;
		__entry->outer = outer;
	),

	TP_printk("dev=%s len=%u gso_size=%u gso_type=%#x segs=%u outer=%u",
		  __get_str(name), __entry->len, __entry->gso_size,
		  __entry->gso_type, __entry->segs, __entry->outer)
);

#endif /* _WG_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace

/* This part must be outside protection */
#include <trace/define_trace.h>

// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * voidib: an InfiniBand adapter with one active port and no cable.
 *
 * Debian has no software InfiniBand device, and IPoIB links want one. This one accepts all work and finishes
 * none of it: what is sent goes nowhere, nothing is ever received. Only a queue pair that is told to fail
 * hands its receive buffers back, since IPoIB waits for them when a link goes down.
 */
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/version.h>
#include <rdma/ib_mad.h>
#include <rdma/ib_verbs.h>

#define VOID_GUID	0x02706970650000ffULL
#define VOID_PKEYS	128

/* One receive buffer: waiting in a queue pair, or given back and waiting in its completion queue. */
struct void_buffer {
	struct list_head entry;
	struct ib_qp *owner;
	u64 id;
};

struct void_cq {
	struct ib_cq ib;
	struct list_head returned;
};

struct void_qp {
	struct ib_qp ib;
	struct list_head waiting;
	enum ib_qp_state state;
};

static struct ib_device *adapter;
static DEFINE_SPINLOCK(buffers);	/* guards both kinds of list, and the state of queue pairs */
static atomic_t next_qp_number = ATOMIC_INIT(2);

static struct void_cq *to_cq(struct ib_cq *cq)
{
	return container_of(cq, struct void_cq, ib);
}

static struct void_qp *to_qp(struct ib_qp *qp)
{
	return container_of(qp, struct void_qp, ib);
}

/* What the adapter says of itself. */

static int void_query_device(struct ib_device *dev, struct ib_device_attr *attr, struct ib_udata *udata)
{
	*attr = (struct ib_device_attr) {
		.sys_image_guid = dev->node_guid,
		.kernel_cap_flags = IBK_LOCAL_DMA_LKEY,
		.max_mr_size = U64_MAX,
		.page_size_cap = PAGE_SIZE,
		.max_pkeys = VOID_PKEYS,
		.max_qp = 1024, .max_qp_wr = 8192,
		.max_cq = 1024, .max_cqe = 32768,
		.max_send_sge = 16, .max_recv_sge = 16, .max_sge_rd = 1,
		.max_pd = 1024, .max_ah = 1024, .max_mr = 1024,
	};
	return 0;
}

static int void_query_port(struct ib_device *dev, u32 port, struct ib_port_attr *attr)
{
	attr->state = IB_PORT_ACTIVE;
	attr->phys_state = IB_PORT_PHYS_STATE_LINK_UP;
	attr->max_mtu = attr->active_mtu = IB_MTU_2048;
	attr->active_width = IB_WIDTH_4X;
	attr->active_speed = IB_SPEED_QDR;
	attr->max_msg_sz = SZ_1M;
	attr->max_vl_num = 1;
	attr->gid_tbl_len = 1;
	attr->pkey_tbl_len = VOID_PKEYS;
	attr->lid = attr->sm_lid = 1;
	return 0;
}

static int void_port_immutable(struct ib_device *dev, u32 port, struct ib_port_immutable *fixed)
{
	fixed->core_cap_flags = RDMA_CORE_PORT_IBA_IB;
	fixed->max_mad_size = IB_MGMT_MAD_SIZE;
	fixed->gid_tbl_len = 1;
	fixed->pkey_tbl_len = VOID_PKEYS;
	return 0;
}

static int void_query_gid(struct ib_device *dev, u32 port, int index, union ib_gid *gid)
{
	gid->global.subnet_prefix = cpu_to_be64(0xfe80000000000000ULL);
	gid->global.interface_id = dev->node_guid;
	return 0;
}

/* The partition that all are in comes first, then full membership in 0x0001, 0x0002 and so on. */
static int void_query_pkey(struct ib_device *dev, u32 port, u16 index, u16 *pkey)
{
	*pkey = index == 0 ? 0xffff : 0x8000 | index;
	return 0;
}

static int void_modify_port(struct ib_device *dev, u32 port, int mask, struct ib_port_modify *change)
{
	return 0;
}

/* Objects that exist and do nothing. */

static int void_alloc_pd(struct ib_pd *pd, struct ib_udata *udata)
{
	return 0;
}

static int void_free_pd(struct ib_pd *pd, struct ib_udata *udata)
{
	return 0;
}

static int void_create_ah(struct ib_ah *ah, struct rdma_ah_init_attr *attr, struct ib_udata *udata)
{
	return 0;
}

static int void_destroy_ah(struct ib_ah *ah, u32 flags)
{
	return 0;
}

static struct ib_mr *void_dma_mr(struct ib_pd *pd, int access)
{
	struct ib_mr *mr = kzalloc(sizeof(*mr), GFP_KERNEL);

	return mr ? mr : ERR_PTR(-ENOMEM);
}

static struct ib_mr *void_user_mr(struct ib_pd *pd, u64 start, u64 length, u64 virt, int access,
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 17, 0)
				  struct ib_dmah *handle,
#endif
				  struct ib_udata *udata)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static int void_free_mr(struct ib_mr *mr, struct ib_udata *udata)
{
	kfree(mr);
	return 0;
}

/* Completion queues: all that ever completes is a receive buffer that was given back. */

static int void_create_cq(struct ib_cq *cq, const struct ib_cq_init_attr *attr, struct uverbs_attr_bundle *bundle)
{
	INIT_LIST_HEAD(&to_cq(cq)->returned);
	cq->cqe = attr->cqe;
	return 0;
}

static int void_destroy_cq(struct ib_cq *cq, struct ib_udata *udata)
{
	return 0;
}

static int void_poll_cq(struct ib_cq *cq, int room, struct ib_wc *wc)
{
	struct void_buffer *buffer, *next;
	LIST_HEAD(done);
	unsigned long flags;
	int count = 0;

	spin_lock_irqsave(&buffers, flags);
	list_for_each_entry_safe(buffer, next, &to_cq(cq)->returned, entry) {
		if (count == room)
			break;
		wc[count++] = (struct ib_wc) {
			.wr_id = buffer->id,
			.status = IB_WC_WR_FLUSH_ERR,
			.opcode = IB_WC_RECV,
			.qp = buffer->owner,
		};
		list_move_tail(&buffer->entry, &done);
	}
	spin_unlock_irqrestore(&buffers, flags);

	list_for_each_entry_safe(buffer, next, &done, entry)
		kfree(buffer);
	return count;
}

static int void_notify_cq(struct ib_cq *cq, enum ib_cq_notify_flags wanted)
{
	return 0;
}

/* Queue pairs. */

static int void_create_qp(struct ib_qp *qp, struct ib_qp_init_attr *attr, struct ib_udata *udata)
{
	INIT_LIST_HEAD(&to_qp(qp)->waiting);
	to_qp(qp)->state = IB_QPS_RESET;
	switch (attr->qp_type) {
	case IB_QPT_SMI:
		qp->qp_num = 0;
		break;
	case IB_QPT_GSI:
		qp->qp_num = 1;
		break;
	default:
		qp->qp_num = atomic_inc_return(&next_qp_number);
	}
	return 0;
}

static int void_modify_qp(struct ib_qp *qp, struct ib_qp_attr *attr, int mask, struct ib_udata *udata)
{
	struct ib_cq *cq = qp->recv_cq;
	unsigned long flags;
	bool gave = false;

	if (!(mask & IB_QP_STATE))
		return 0;
	spin_lock_irqsave(&buffers, flags);
	to_qp(qp)->state = attr->qp_state;
	if (attr->qp_state == IB_QPS_ERR && !list_empty(&to_qp(qp)->waiting)) {
		list_splice_tail_init(&to_qp(qp)->waiting, &to_cq(cq)->returned);
		gave = true;
	}
	spin_unlock_irqrestore(&buffers, flags);
	if (gave && cq->comp_handler)
		cq->comp_handler(cq, cq->cq_context);
	return 0;
}

static int void_query_qp(struct ib_qp *qp, struct ib_qp_attr *attr, int mask, struct ib_qp_init_attr *init)
{
	attr->qp_state = to_qp(qp)->state;
	return 0;
}

static int void_destroy_qp(struct ib_qp *qp, struct ib_udata *udata)
{
	struct void_buffer *buffer, *next;
	LIST_HEAD(dead);
	unsigned long flags;

	spin_lock_irqsave(&buffers, flags);
	list_splice_init(&to_qp(qp)->waiting, &dead);
	list_for_each_entry_safe(buffer, next, &to_cq(qp->recv_cq)->returned, entry)
		if (buffer->owner == qp)
			list_move(&buffer->entry, &dead);
	spin_unlock_irqrestore(&buffers, flags);

	list_for_each_entry_safe(buffer, next, &dead, entry)
		kfree(buffer);
	return 0;
}

static int void_post_send(struct ib_qp *qp, const struct ib_send_wr *work, const struct ib_send_wr **bad)
{
	return 0;
}

static int void_post_recv(struct ib_qp *qp, const struct ib_recv_wr *work, const struct ib_recv_wr **bad)
{
	struct void_buffer *buffer;
	unsigned long flags;

	for (; work; work = work->next) {
		buffer = kmalloc(sizeof(*buffer), GFP_ATOMIC);
		if (!buffer) {
			*bad = work;
			return -ENOMEM;
		}
		buffer->owner = qp;
		buffer->id = work->wr_id;
		spin_lock_irqsave(&buffers, flags);
		list_add_tail(&buffer->entry, to_qp(qp)->state == IB_QPS_ERR ?
			      &to_cq(qp->recv_cq)->returned : &to_qp(qp)->waiting);
		spin_unlock_irqrestore(&buffers, flags);
	}
	return 0;
}

/* IPoIB allocates protection domains and address handles through the core, which wants to know their sizes. */
struct void_pd { struct ib_pd ib; };
struct void_ah { struct ib_ah ib; };

static const struct ib_device_ops void_ops = {
	.owner = THIS_MODULE,
	.driver_id = RDMA_DRIVER_UNKNOWN,
	.query_device = void_query_device,
	.query_port = void_query_port,
	.get_port_immutable = void_port_immutable,
	.query_gid = void_query_gid,
	.query_pkey = void_query_pkey,
	.modify_port = void_modify_port,
	.alloc_pd = void_alloc_pd,
	.dealloc_pd = void_free_pd,
	.create_ah = void_create_ah,
	.destroy_ah = void_destroy_ah,
	.get_dma_mr = void_dma_mr,
	.reg_user_mr = void_user_mr,
	.dereg_mr = void_free_mr,
	.create_cq = void_create_cq,
	.destroy_cq = void_destroy_cq,
	.poll_cq = void_poll_cq,
	.req_notify_cq = void_notify_cq,
	.create_qp = void_create_qp,
	.modify_qp = void_modify_qp,
	.query_qp = void_query_qp,
	.destroy_qp = void_destroy_qp,
	.post_send = void_post_send,
	.post_recv = void_post_recv,
	INIT_RDMA_OBJ_SIZE(ib_pd, void_pd, ib),
	INIT_RDMA_OBJ_SIZE(ib_ah, void_ah, ib),
	INIT_RDMA_OBJ_SIZE(ib_cq, void_cq, ib),
	INIT_RDMA_OBJ_SIZE(ib_qp, void_qp, ib),
};

struct void_adapter { struct ib_device ib; };

static int __init void_start(void)
{
	struct void_adapter *made = ib_alloc_device(void_adapter, ib);
	int failed;

	if (!made)
		return -ENOMEM;
	adapter = &made->ib;
	adapter->node_type = RDMA_NODE_IB_CA;
	adapter->node_guid = cpu_to_be64(VOID_GUID);
	adapter->phys_port_cnt = 1;
	adapter->num_comp_vectors = 1;
	strscpy(adapter->node_desc, "voidib", sizeof(adapter->node_desc));
	ib_set_device_ops(adapter, &void_ops);
	failed = ib_register_device(adapter, "voidib%d", NULL);
	if (failed)
		ib_dealloc_device(adapter);
	return failed;
}

static void __exit void_stop(void)
{
	ib_unregister_device(adapter);
	ib_dealloc_device(adapter);
}

module_init(void_start);
module_exit(void_stop);
MODULE_DESCRIPTION("InfiniBand adapter without a cable, for tests of IPoIB links");
MODULE_LICENSE("Dual MIT/GPL");

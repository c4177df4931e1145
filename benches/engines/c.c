// What a careful C programmer writes, with the system's own macros.
#define _GNU_SOURCE
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

// In the order in which src/lib.rs says it.
static uint64_t mix(uint64_t digest, uint64_t number) {
    return digest * 31 + number;
}

uint64_t c_read(unsigned char *bytes, size_t len) {
    struct msghdr header = {.msg_control = bytes, .msg_controllen = len};
    uint64_t digest = 0;
    for (struct cmsghdr *message = CMSG_FIRSTHDR(&header); message; message = CMSG_NXTHDR(&header, message)) {
        if (message->cmsg_len < CMSG_LEN(0))
            break;
        if (message->cmsg_level == SOL_SOCKET && message->cmsg_type == SCM_RIGHTS) {
            size_t count = (message->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            for (size_t index = 0; index < count; index++) {
                int descriptor;
                memcpy(&descriptor, CMSG_DATA(message) + index * sizeof descriptor, sizeof descriptor);
                digest = mix(digest, (uint32_t)descriptor);
            }
        } else if (message->cmsg_level == SOL_SOCKET && message->cmsg_type == SCM_CREDENTIALS) {
            struct ucred credentials;
            if (message->cmsg_len != CMSG_LEN(sizeof credentials))
                break;
            memcpy(&credentials, CMSG_DATA(message), sizeof credentials);
            digest = mix(mix(mix(digest, (uint32_t)credentials.pid), credentials.uid), credentials.gid);
        }
    }
    return digest;
}

size_t c_write(unsigned char *bytes, size_t len, const int descriptors[2], const uint32_t *ids, size_t messages) {
    struct ucred credentials = {.pid = (pid_t)ids[0], .uid = ids[1], .gid = ids[2]};
    struct msghdr header = {.msg_control = bytes, .msg_controllen = len};
    // As cmsg(3) says: some CMSG_NXTHDR read the header they return. It also clears the padding.
    memset(bytes, 0, len);
    size_t used = 0;
    struct cmsghdr *message = CMSG_FIRSTHDR(&header);
    for (size_t index = 0; index < messages && message; index++, message = CMSG_NXTHDR(&header, message)) {
        message->cmsg_level = SOL_SOCKET;
        if (index % 2 == 0) {
            message->cmsg_type = SCM_RIGHTS;
            message->cmsg_len = CMSG_LEN(2 * sizeof(int));
            memcpy(CMSG_DATA(message), descriptors, 2 * sizeof(int));
            used += CMSG_SPACE(2 * sizeof(int));
        } else {
            message->cmsg_type = SCM_CREDENTIALS;
            message->cmsg_len = CMSG_LEN(sizeof credentials);
            memcpy(CMSG_DATA(message), &credentials, sizeof credentials);
            used += CMSG_SPACE(sizeof credentials);
        }
    }
    return used;
}

// Passes `count` descriptors from one socket to another, and closes what arrives. Returns how many that were.
static inline size_t pass(int from, int to, const int *descriptors, size_t count, void *control, size_t len) {
    char data = 'd';
    struct iovec slice = {.iov_base = &data, .iov_len = 1};
    struct msghdr header = {.msg_iov = &slice, .msg_iovlen = 1, .msg_control = control, .msg_controllen = len};
    struct cmsghdr *message = CMSG_FIRSTHDR(&header);
    message->cmsg_level = SOL_SOCKET;
    message->cmsg_type = SCM_RIGHTS;
    message->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(message), descriptors, count * sizeof(int));
    if (sendmsg(from, &header, 0) != 1)
        return 0;

    header.msg_controllen = len;
    if (recvmsg(to, &header, MSG_CMSG_CLOEXEC) != 1)
        return 0;
    // What has arrived is closed, truncated or not.
    size_t closed = 0;
    for (message = CMSG_FIRSTHDR(&header); message; message = CMSG_NXTHDR(&header, message)) {
        if (message->cmsg_level != SOL_SOCKET || message->cmsg_type != SCM_RIGHTS)
            continue;
        size_t arrived = (message->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t index = 0; index < arrived; index++) {
            int descriptor;
            memcpy(&descriptor, CMSG_DATA(message) + index * sizeof descriptor, sizeof descriptor);
            close(descriptor);
            closed++;
        }
    }
    return header.msg_flags & MSG_CTRUNC ? 0 : closed;
}

size_t c_pass_one(int from, int to, const int *descriptors) {
    _Alignas(struct cmsghdr) unsigned char control[CMSG_SPACE(sizeof(int))] = {0};
    return pass(from, to, descriptors, 1, control, sizeof control);
}

size_t c_pass_253(int from, int to, const int *descriptors) {
    _Alignas(struct cmsghdr) unsigned char control[CMSG_SPACE(253 * sizeof(int))];
    // All else is written. To clear the whole would be `rep stosq`: see README.
    memset(control + CMSG_LEN(253 * sizeof(int)), 0, sizeof control - CMSG_LEN(253 * sizeof(int)));
    return pass(from, to, descriptors, 253, control, sizeof control);
}

// Passes `count` descriptors, keeps what arrives, shows it, and closes it. Returns what `look` returns.
static inline size_t keep(int from, int to, const int *descriptors, size_t count, void *control, size_t len,
                          size_t (*look)(const int *, size_t)) {
    char data = 'd';
    struct iovec slice = {.iov_base = &data, .iov_len = 1};
    struct msghdr header = {.msg_iov = &slice, .msg_iovlen = 1, .msg_control = control, .msg_controllen = len};
    struct cmsghdr *message = CMSG_FIRSTHDR(&header);
    message->cmsg_level = SOL_SOCKET;
    message->cmsg_type = SCM_RIGHTS;
    message->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(message), descriptors, count * sizeof(int));
    if (sendmsg(from, &header, 0) != 1)
        return 0;

    header.msg_controllen = len;
    if (recvmsg(to, &header, MSG_CMSG_CLOEXEC) != 1)
        return 0;
    int *kept = NULL;
    size_t arrived = 0;
    for (message = CMSG_FIRSTHDR(&header); message; message = CMSG_NXTHDR(&header, message)) {
        if (message->cmsg_level != SOL_SOCKET || message->cmsg_type != SCM_RIGHTS)
            continue;
        size_t more = (message->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        int *longer = realloc(kept, (arrived + more) * sizeof(int));
        if (!longer)
            abort();
        kept = longer;
        memcpy(kept + arrived, CMSG_DATA(message), more * sizeof(int));
        arrived += more;
    }
    size_t seen = header.msg_flags & MSG_CTRUNC ? 0 : look(kept, arrived);
    for (size_t index = 0; index < arrived; index++)
        close(kept[index]);
    free(kept);
    return seen;
}

size_t c_keep_253(int from, int to, const int *descriptors, size_t (*look)(const int *, size_t)) {
    _Alignas(struct cmsghdr) unsigned char control[CMSG_SPACE(253 * sizeof(int))];
    // As in `c_pass_253`.
    memset(control + CMSG_LEN(253 * sizeof(int)), 0, sizeof control - CMSG_LEN(253 * sizeof(int)));
    return keep(from, to, descriptors, 253, control, sizeof control, look);
}

size_t c_keep_28(int from, int to, const int *descriptors, size_t count, size_t (*look)(const int *, size_t)) {
    // For an even number there is no padding: all is written.
    _Alignas(struct cmsghdr) unsigned char control[CMSG_SPACE(28 * sizeof(int))];
    if (count > 28)
        return 0;
    return keep(from, to, descriptors, count, control, CMSG_SPACE(count * sizeof(int)), look);
}

// Every kind that can be read, the numbers of each as they stand in its payload.
uint64_t c_match_kinds(unsigned char *bytes, size_t len) {
    enum { SECURITY = 3, PIDFD = 4 };
    struct msghdr header = {.msg_control = bytes, .msg_controllen = len};
    uint64_t digest = 0;
    for (struct cmsghdr *message = CMSG_FIRSTHDR(&header); message; message = CMSG_NXTHDR(&header, message)) {
        if (message->cmsg_len < CMSG_LEN(0))
            break;
        size_t payload = message->cmsg_len - CMSG_LEN(0);
        unsigned char *data = CMSG_DATA(message);
        uint32_t number;
        if (message->cmsg_level == SOL_SOCKET) {
            switch (message->cmsg_type) {
            case SCM_RIGHTS:
                for (size_t at = 0; at + sizeof number <= payload; at += sizeof number) {
                    memcpy(&number, data + at, sizeof number);
                    digest = mix(digest, number);
                }
                break;
            case SCM_CREDENTIALS: {
                struct ucred ids;
                if (payload != sizeof ids)
                    break;
                memcpy(&ids, data, sizeof ids);
                digest = mix(mix(mix(digest, (uint32_t)ids.pid), ids.uid), ids.gid);
                break;
            }
            case SECURITY:
                if (payload && !data[payload - 1])
                    payload--;
                for (size_t at = 0; at < payload; at++)
                    digest = mix(digest, data[at]);
                break;
            case PIDFD:
                if (payload != sizeof number)
                    break;
                memcpy(&number, data, sizeof number);
                digest = mix(digest, number);
                break;
            case SO_TIMESTAMPNS: {
                struct timespec time;
                if (payload != sizeof time)
                    break;
                memcpy(&time, data, sizeof time);
                digest = mix(mix(digest, (uint32_t)time.tv_sec), (uint32_t)time.tv_nsec);
                break;
            }
            }
        } else if (message->cmsg_level == IPPROTO_IP && message->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            if (payload != sizeof info)
                continue;
            memcpy(&info, data, sizeof info);
            digest = mix(digest, (uint32_t)info.ipi_ifindex);
            digest = mix(mix(digest, ntohl(info.ipi_spec_dst.s_addr)), ntohl(info.ipi_addr.s_addr));
        } else if (message->cmsg_level == IPPROTO_IP && message->cmsg_type == IP_TOS) {
            if (payload == 1)
                digest = mix(digest, *data);
        } else if (message->cmsg_level == IPPROTO_IPV6 && message->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            if (payload != sizeof info)
                continue;
            memcpy(&info, data, sizeof info);
            digest = mix(digest, info.ipi6_ifindex);
            for (size_t part = 0; part < 4; part++)
                digest = mix(digest, ntohl(info.ipi6_addr.s6_addr32[part]));
        } else if ((message->cmsg_level == IPPROTO_IPV6 && message->cmsg_type == IPV6_TCLASS) ||
                   (message->cmsg_level == IPPROTO_UDP && message->cmsg_type == UDP_GRO)) {
            if (payload != sizeof number)
                continue;
            memcpy(&number, data, sizeof number);
            digest = mix(digest, number);
        }
    }
    return digest;
}

enum { BATCH = 64, DATA = 64, ROOM = CMSG_SPACE(sizeof(struct in_pktinfo)) + CMSG_SPACE(sizeof(int)) };

struct rooms {
    unsigned char data[BATCH][DATA];
    struct iovec slices[BATCH];
    struct sockaddr_storage addresses[BATCH];
    _Alignas(struct cmsghdr) unsigned char controls[BATCH][ROOM];
    struct mmsghdr headers[BATCH];
};

// What stays as it is from call to call.
static void prepare(struct rooms *rooms, int with_control) {
    for (size_t index = 0; index < BATCH; index++) {
        rooms->slices[index] = (struct iovec){rooms->data[index], DATA};
        rooms->headers[index].msg_hdr = (struct msghdr){
            .msg_name = &rooms->addresses[index],
            .msg_iov = &rooms->slices[index],
            .msg_iovlen = 1,
            .msg_control = with_control ? rooms->controls[index] : NULL,
        };
    }
}

// What a call that receives changes, to its first state.
static void reset(struct rooms *rooms, int with_control) {
    for (size_t index = 0; index < BATCH; index++) {
        struct msghdr *header = &rooms->headers[index].msg_hdr;
        header->msg_namelen = sizeof rooms->addresses[index];
        header->msg_controllen = with_control ? ROOM : 0;
    }
}

// What came beside a datagram: the address it was sent to, and its mark.
static void look(struct msghdr *header, struct in_addr *address, unsigned char *mark) {
    for (struct cmsghdr *message = CMSG_FIRSTHDR(header); message; message = CMSG_NXTHDR(header, message)) {
        if (message->cmsg_level != IPPROTO_IP)
            continue;
        if (message->cmsg_type == IP_PKTINFO && message->cmsg_len == CMSG_LEN(sizeof(struct in_pktinfo))) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(message), sizeof info);
            *address = info.ipi_spec_dst;
        } else if (message->cmsg_type == IP_TOS && message->cmsg_len == CMSG_LEN(1)) {
            *mark = *CMSG_DATA(message);
        }
    }
}

// Sends 64 datagrams with one call and receives them with another, so many times.
uint64_t c_batch(int from, int to, int with_control, size_t turns) {
    static struct rooms here, there;
    static unsigned char out[BATCH][CMSG_SPACE(sizeof(int))];
    for (size_t index = 0; index < BATCH; index++) {
        here.data[index][0] = (unsigned char)index;
        here.slices[index] = (struct iovec){here.data[index], DATA};
        here.headers[index].msg_hdr = (struct msghdr){
            .msg_iov = &here.slices[index],
            .msg_iovlen = 1,
            .msg_control = with_control ? out[index] : NULL,
            .msg_controllen = with_control ? sizeof out[index] : 0,
        };
    }
    prepare(&there, with_control);
    uint64_t digest = 0;
    for (size_t turn = 0; turn < turns; turn++) {
        for (size_t index = 0; with_control && index < BATCH; index++) {
            struct cmsghdr *message = CMSG_FIRSTHDR(&here.headers[index].msg_hdr);
            message->cmsg_level = IPPROTO_IP;
            message->cmsg_type = IP_TOS;
            message->cmsg_len = CMSG_LEN(sizeof(int));
            int mark = (int)(index % 4);
            memcpy(CMSG_DATA(message), &mark, sizeof mark);
        }
        if (sendmmsg(from, here.headers, BATCH, 0) != BATCH)
            return 0;
        reset(&there, with_control);
        if (recvmmsg(to, there.headers, BATCH, MSG_CMSG_CLOEXEC, NULL) != BATCH)
            return 0;
        for (size_t index = 0; index < BATCH; index++) {
            struct in_addr address = {0};
            unsigned char mark = 0;
            look(&there.headers[index].msg_hdr, &address, &mark);
            digest = mix(mix(mix(digest, there.headers[index].msg_len), there.data[index][0]), mark);
        }
    }
    return digest;
}

// Receives up to 64 datagrams with one call, and answers each from the address it was sent to, with its mark.
size_t c_echo(int socket) {
    static struct rooms rooms;
    static unsigned char out[BATCH][ROOM];
    static struct iovec slices[BATCH];
    static struct mmsghdr answers[BATCH];
    if (!rooms.slices[0].iov_len)
        prepare(&rooms, 1);
    reset(&rooms, 1);
    int count = recvmmsg(socket, rooms.headers, BATCH, MSG_CMSG_CLOEXEC | MSG_WAITFORONE, NULL);
    for (int index = 0; index < count; index++) {
        struct in_pktinfo info = {0};
        unsigned char mark = 0;
        look(&rooms.headers[index].msg_hdr, &info.ipi_spec_dst, &mark);
        slices[index] = (struct iovec){rooms.data[index], rooms.headers[index].msg_len};
        struct msghdr *header = &answers[index].msg_hdr;
        *header = (struct msghdr){
            .msg_name = rooms.headers[index].msg_hdr.msg_name,
            .msg_namelen = rooms.headers[index].msg_hdr.msg_namelen,
            .msg_iov = &slices[index],
            .msg_iovlen = 1,
            .msg_control = out[index],
            .msg_controllen = ROOM,
        };
        struct cmsghdr *message = CMSG_FIRSTHDR(header);
        message->cmsg_level = IPPROTO_IP;
        message->cmsg_type = IP_PKTINFO;
        message->cmsg_len = CMSG_LEN(sizeof info);
        memcpy(CMSG_DATA(message), &info, sizeof info);
        message = CMSG_NXTHDR(header, message);
        int wide = mark;
        message->cmsg_level = IPPROTO_IP;
        message->cmsg_type = IP_TOS;
        message->cmsg_len = CMSG_LEN(sizeof wide);
        memcpy(CMSG_DATA(message), &wide, sizeof wide);
    }
    return count > 0 && sendmmsg(socket, answers, (unsigned)count, 0) == count ? (size_t)count : 0;
}

// Sends one datagram and receives it with a call that has room for 64, so many times.
uint64_t c_batch_of_one(int from, int to, size_t turns) {
    static struct rooms rooms;
    unsigned char data[DATA] = {0};
    prepare(&rooms, 0);
    reset(&rooms, 0);
    uint64_t digest = 0;
    for (size_t turn = 0; turn < turns; turn++) {
        data[0] = (unsigned char)turn;
        if (send(from, data, sizeof data, 0) != DATA)
            return 0;
        int count = recvmmsg(to, rooms.headers, BATCH, MSG_CMSG_CLOEXEC | MSG_WAITFORONE, NULL);
        for (int index = 0; index < count; index++) {
            digest = mix(mix(mix(digest, rooms.headers[index].msg_len), rooms.data[index][0]), 0);
            // What the call has changed.
            rooms.headers[index].msg_hdr.msg_namelen = sizeof rooms.addresses[index];
            rooms.headers[index].msg_hdr.msg_controllen = 0;
        }
    }
    return digest;
}

// What is known of the datagrams in one buffer. (As in c.rs.)
struct meta {
    struct sockaddr_storage address;
    size_t len;
    size_t stride;
    struct timespec timestamp;
    unsigned char to[16];
    uint32_t interface;
    uint16_t to_family;
    uint8_t ecn;
    uint8_t has_timestamp;
};

enum {
    MOST = 32,
    BESIDE = CMSG_SPACE(sizeof(struct timespec)) + CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct in6_pktinfo)) +
             CMSG_SPACE(sizeof(int)),
};

// Receives into buffers and room for metadata that the caller has brought, as many as there are, or 32.
size_t c_udp(int socket, struct iovec *slices, struct meta *metas, size_t count) {
    _Alignas(struct cmsghdr) unsigned char controls[MOST][BESIDE];
    struct mmsghdr headers[MOST];
    if (count > MOST)
        count = MOST;
    for (size_t index = 0; index < count; index++) {
        headers[index].msg_hdr = (struct msghdr){
            .msg_name = &metas[index].address,
            .msg_namelen = sizeof metas[index].address,
            .msg_iov = &slices[index],
            .msg_iovlen = 1,
            .msg_control = controls[index],
            .msg_controllen = BESIDE,
        };
    }
    int received = recvmmsg(socket, headers, (unsigned)count, MSG_CMSG_CLOEXEC, NULL);
    for (int index = 0; index < received; index++) {
        struct meta *meta = &metas[index];
        struct msghdr *header = &headers[index].msg_hdr;
        meta->len = meta->stride = headers[index].msg_len;
        meta->ecn = meta->has_timestamp = 0;
        meta->to_family = AF_UNSPEC;
        for (struct cmsghdr *message = CMSG_FIRSTHDR(header); message; message = CMSG_NXTHDR(header, message)) {
            size_t payload = message->cmsg_len - CMSG_LEN(0);
            int number;
            if (message->cmsg_level == IPPROTO_IP && message->cmsg_type == IP_TOS && payload == 1) {
                meta->ecn = *CMSG_DATA(message) & 3;
            } else if (message->cmsg_level == IPPROTO_IPV6 && message->cmsg_type == IPV6_TCLASS && payload == sizeof number) {
                memcpy(&number, CMSG_DATA(message), sizeof number);
                meta->ecn = number & 3;
            } else if (message->cmsg_level == IPPROTO_IP && message->cmsg_type == IP_PKTINFO &&
                       payload == sizeof(struct in_pktinfo)) {
                struct in_pktinfo info;
                memcpy(&info, CMSG_DATA(message), sizeof info);
                memcpy(meta->to, &info.ipi_addr, sizeof info.ipi_addr);
                meta->to_family = AF_INET;
                meta->interface = (uint32_t)info.ipi_ifindex;
            } else if (message->cmsg_level == IPPROTO_IPV6 && message->cmsg_type == IPV6_PKTINFO &&
                       payload == sizeof(struct in6_pktinfo)) {
                struct in6_pktinfo info;
                memcpy(&info, CMSG_DATA(message), sizeof info);
                memcpy(meta->to, &info.ipi6_addr, sizeof info.ipi6_addr);
                meta->to_family = AF_INET6;
                meta->interface = info.ipi6_ifindex;
            } else if (message->cmsg_level == IPPROTO_UDP && message->cmsg_type == UDP_GRO && payload == sizeof number) {
                memcpy(&number, CMSG_DATA(message), sizeof number);
                meta->stride = (size_t)number;
            } else if (message->cmsg_level == SOL_SOCKET && message->cmsg_type == SO_TIMESTAMPNS &&
                       payload == sizeof meta->timestamp) {
                memcpy(&meta->timestamp, CMSG_DATA(message), sizeof meta->timestamp);
                meta->has_timestamp = 1;
            }
        }
    }
    return received > 0 ? (size_t)received : 0;
}

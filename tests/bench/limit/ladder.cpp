// What the order workload costs at best: a price ladder with a bitmap, 64-byte orders and events,
// and, with -DMARGIN, a stand-in for isolated margin. Cancels carry the slot of their order, which
// an untimed pass finds out. Usage: ladder FILE tput; prints one JSON line.

#include <algorithm>
#include <bit>
#include <chrono>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <vector>

namespace {

constexpr uint32_t none = 0;  // slots, levels and links begin at 1
constexpr size_t event_count = 1 << 16;
constexpr size_t account_count = 1024;

enum Kind : uint8_t { make = 0, cancel = 1, replace = 2 };

struct Operation {
    uint8_t kind, side, tif, flags;
    uint32_t account;
    uint64_t id;
    int32_t price, lots;
};
static_assert(sizeof(Operation) == 24);

struct Header {
    char magic[8];
    uint32_t prefill_count, count, id_max;
    int32_t price_min, price_max;
    uint32_t padding;
    uint64_t fill_count, lots, notional, checksum, live_count, live_lots;
    int32_t best_bid, best_ask;
    char rest[40];
};
static_assert(sizeof(Header) == 128);

struct alignas(64) Order {
    uint64_t id, nonce;
    int64_t margin;
    uint32_t level, lots, previous, next, account, account_previous, account_next, expiry, side;
};
static_assert(sizeof(Order) == 64);

struct alignas(64) Event {
    uint64_t kind, maker, taker, number;
    int64_t lots, amount;
    uint32_t account, other, price, side;
};
static_assert(sizeof(Event) == 64);

struct Level {
    uint32_t head, tail;
    int64_t lots;
};

struct alignas(64) Account {
    int64_t position, cost, collateral, fees, realized, open[2];
    uint32_t orders;
};

struct Tally {
    uint64_t count = 0, lots = 0, notional = 0, checksum = 1469598103934665603u;

    void mix(uint64_t value) { checksum = (checksum ^ value) * 1099511628211u; }

    void add(uint64_t maker, uint64_t taker, uint64_t price, uint64_t quantity) {
        ++count;
        lots += quantity;
        notional += price * quantity;
        mix(maker);
        mix(taker);
        mix(price);
        mix(quantity);
    }
};

// One bit a level and two summaries above it.
class Bitmap {
  public:
    explicit Bitmap(size_t size) {
        for (auto& words : tree_) words.assign((size = size / 64 + 2), 0);
    }

    void set(uint32_t at) {
        for (auto& words : tree_) {
            words[at >> 6] |= uint64_t{1} << (at & 63);
            at >>= 6;
        }
    }

    void clear(uint32_t at) {
        for (auto& words : tree_) {
            if (words[at >> 6] &= ~(uint64_t{1} << (at & 63))) return;
            at >>= 6;
        }
    }

    uint32_t above(uint32_t at) const {
        for (size_t k = 0; k < std::size(tree_); ++k, at >>= 6) {
            const auto& words = tree_[k];
            ++at;
            if ((at >> 6) >= words.size()) return none;
            if (uint64_t word = words[at >> 6] & (~uint64_t{0} << (at & 63))) {
                at = (at & ~63u) | static_cast<uint32_t>(std::countr_zero(word));
                while (k--) at = at << 6 | static_cast<uint32_t>(std::countr_zero(tree_[k][at]));
                return at;
            }
        }
        return none;
    }

    uint32_t below(uint32_t at) const {
        for (size_t k = 0; k < std::size(tree_); ++k, at >>= 6) {
            if (at-- == 0) return none;
            if (uint64_t word = tree_[k][at >> 6] & (~uint64_t{0} >> (63 - (at & 63)))) {
                at = (at & ~63u) | static_cast<uint32_t>(63 - std::countl_zero(word));
                while (k--) at = at << 6 | static_cast<uint32_t>(63 - std::countl_zero(tree_[k][at]));
                return at;
            }
        }
        return none;
    }

  private:
    std::vector<uint64_t> tree_[3];
};

class Ladder {
  public:
    explicit Ladder(const Header& header)
        : base_(header.price_min - 64),
          levels_(static_cast<size_t>(header.price_max - base_) + 128),
          orders_(new Order[header.live_count * 2 + 65536]()),
          events_(new Event[event_count]()),
          accounts_(new Account[account_count]()),
          bitmap_(levels_.size()) {}

    // Returns the slot in which the order rests, if it does.
    uint32_t apply(const Operation& operation) {
        if (operation.kind == make) return place(operation, operation.id);
        const auto slot = static_cast<uint32_t>(operation.id);
        const uint64_t id = orders_[slot].id;
        withdraw(slot);
        return operation.kind == replace ? place(operation, id) : none;
    }

    const Tally& tally() const { return tally_; }
    uint64_t live() const { return live_; }
    uint64_t refused() const { return refused_; }

  private:
    Event& emit(uint64_t kind, uint32_t account, uint32_t side) {
        Event& event = events_[emitted_ & (event_count - 1)];
        event.kind = kind;
        event.number = emitted_++;
        event.account = account;
        event.side = side;
        return event;
    }

    uint32_t place(const Operation& operation, uint64_t id) {
        const auto level = static_cast<uint32_t>(operation.price - base_);
        auto lots = static_cast<uint32_t>(operation.lots);
        Event& event = emit(1, operation.account, operation.side);
        event.taker = id;
        event.price = level;
        event.lots = lots;
        hold(operation.account, operation.side, int64_t{operation.price} * lots);
        lots = operation.side ? match<1>(operation, id, level, lots) : match<0>(operation, id, level, lots);
        if (lots == 0) return none;
        if (operation.tif == 0) return rest(operation, id, level, lots);
        hold(operation.account, operation.side, -int64_t{operation.price} * lots);
        emit(3, operation.account, operation.side).lots = lots;
        return none;
    }

    template <int Side>
    uint32_t match(const Operation& operation, uint64_t id, uint32_t level, uint32_t lots) {
        uint32_t& best = best_[1 - Side];
        while (lots && best && (Side == 0 ? best <= level : best >= level)) {
            const uint32_t slot = levels_[best].head;
            Order& maker = orders_[slot];
            const uint32_t filled = std::min(lots, maker.lots);
            const int64_t price = int64_t{best} + base_;
            tally_.add(maker.id, id, static_cast<uint64_t>(price), filled);
            Event& event = emit(2, maker.account, Side);
            event.other = operation.account;
            event.maker = maker.id;
            event.taker = id;
            event.price = best;
            event.lots = filled;
            settle(maker.account, 1 - Side, price, filled);
            settle(operation.account, Side, price, filled);
            lots -= filled;
            if (filled == maker.lots) {
                remove(slot);
            } else {
                maker.lots -= filled;
                levels_[best].lots -= filled;
            }
        }
        return lots;
    }

    uint32_t rest(const Operation& operation, uint64_t id, uint32_t at, uint32_t lots) {
        uint32_t slot = free_;
        if (slot) free_ = orders_[slot].next; else slot = ++top_;
        Order& order = orders_[slot];
        Level& level = levels_[at];
        uint32_t& newest = accounts_[operation.account].orders;
        order = {.id = id, .nonce = id, .margin = 0, .level = at, .lots = lots, .previous = level.tail,
                 .next = none, .account = operation.account, .account_previous = none,
                 .account_next = newest, .expiry = 0, .side = operation.side};
        if (newest) orders_[newest].account_previous = slot;
        newest = slot;
        if (level.tail) {
            orders_[level.tail].next = slot;
        } else {
            level.head = slot;
            bitmap_.set(at);
            uint32_t& best = best_[operation.side];
            if (best == none || (operation.side ? at < best : at > best)) best = at;
        }
        level.tail = slot;
        level.lots += lots;
        ++live_;
        return slot;
    }

    void withdraw(uint32_t slot) {
        const Order& order = orders_[slot];
        Event& event = emit(4, order.account, order.side);
        event.maker = order.id;
        event.price = order.level;
        event.lots = order.lots;
        hold(order.account, order.side, -(int64_t{order.level} + base_) * order.lots);
        remove(slot);
    }

    void remove(uint32_t slot) {
        Order& order = orders_[slot];
        Level& level = levels_[order.level];
        level.lots -= order.lots;
        if (order.previous) orders_[order.previous].next = order.next; else level.head = order.next;
        if (order.next) orders_[order.next].previous = order.previous; else level.tail = order.previous;
        if (order.account_previous) orders_[order.account_previous].account_next = order.account_next;
        else accounts_[order.account].orders = order.account_next;
        if (order.account_next) orders_[order.account_next].account_previous = order.account_previous;
        if (level.head == none) {
            bitmap_.clear(order.level);
            uint32_t& best = best_[order.side];
            if (best == order.level) best = order.side ? bitmap_.above(best) : bitmap_.below(best);
        }
        order.next = free_;
        free_ = slot;
        --live_;
    }

    void hold([[maybe_unused]] uint32_t at, [[maybe_unused]] uint32_t side,
              [[maybe_unused]] int64_t notional) {
#ifdef MARGIN
        Account& account = accounts_[at];
        account.open[side] += notional;
        if (std::max(account.open[0], account.open[1]) / 20 > int64_t{1} << 60) ++refused_;
#endif
    }

    void settle([[maybe_unused]] uint32_t at, [[maybe_unused]] uint32_t side,
                [[maybe_unused]] int64_t price, [[maybe_unused]] int64_t lots) {
#ifdef MARGIN
        Account& account = accounts_[at];
        const int64_t change = side ? -lots : lots;
        const int64_t held = account.position;
        account.fees += price * lots / 2000;
        account.open[side] -= price * lots;
        if (held == 0 || (held > 0) == (change > 0)) {
            account.cost += change * price;
        } else {
            const int64_t closed = std::min(std::abs(held), lots) * (held > 0 ? 1 : -1);
            const int64_t share = account.cost / held * closed;
            account.realized += closed * price - share;
            account.cost += (change + closed) * price - share;
        }
        account.position = held + change;
        const int64_t value = account.position * price;
        account.collateral = std::abs(value) / 20;
        const int64_t equity = account.realized - account.fees + value - account.cost;
        if (equity + 1'000'000'000'000 < account.collateral / 2) ++refused_;
#endif
    }

    int32_t base_;
    std::vector<Level> levels_;
    std::unique_ptr<Order[]> orders_;
    std::unique_ptr<Event[]> events_;
    std::unique_ptr<Account[]> accounts_;
    Bitmap bitmap_;
    uint32_t best_[2] = {none, none}, free_ = none, top_ = none;
    uint64_t live_ = 0, emitted_ = 0, refused_ = 0;
    Tally tally_;
};

// Put the slot of the order in place of its id into every cancel and replace.
void resolve(const Header& header, std::vector<Operation>& operations) {
    const auto ladder = std::make_unique<Ladder>(header);
    std::vector<uint32_t> slot_of(header.id_max + 1);
    for (Operation& operation : operations) {
        const uint64_t id = operation.id;
        if (operation.kind != make) operation.id = slot_of[id];
        if (const uint32_t slot = ladder->apply(operation)) slot_of[id] = slot;
    }
}

}  // namespace

int main(int count, char** words) {
    FILE* file = count > 1 ? std::fopen(words[1], "rb") : nullptr;
    Header header;
    if (!file || std::fread(&header, sizeof header, 1, file) != 1) {
        std::fprintf(stderr, "ladder: expected a workload file\n");
        return 2;
    }
    std::vector<Operation> operations(size_t{header.prefill_count} + header.count);
    if (std::fread(operations.data(), sizeof(Operation), operations.size(), file) != operations.size()) {
        std::fprintf(stderr, "ladder: %s is too short\n", words[1]);
        return 2;
    }
    std::fclose(file);
    resolve(header, operations);
    const auto ladder = std::make_unique<Ladder>(header);
    for (size_t k = 0; k < header.prefill_count; ++k) ladder->apply(operations[k]);
    const auto begin = std::chrono::steady_clock::now();
    const std::clock_t begin_cpu = std::clock();
    for (size_t k = header.prefill_count; k < operations.size(); ++k) ladder->apply(operations[k]);
    const double cpu_s = double(std::clock() - begin_cpu) / CLOCKS_PER_SEC;
    const std::chrono::duration<double, std::nano> wall = std::chrono::steady_clock::now() - begin;
    const Tally& tally = ladder->tally();
    std::printf("{\"ns_op\": %.3f, \"cpu\": %.6f, \"fills\": %" PRIu64 ", \"qty\": %" PRIu64
                ", \"notional\": %" PRIu64 ", \"hash\": \"%016" PRIx64 "\", \"live\": %" PRIu64
                ", \"refused\": %" PRIu64 "}\n",
                wall.count() / header.count, cpu_s, tally.count, tally.lots, tally.notional,
                tally.checksum, ladder->live(), ladder->refused());
    return 0;
}

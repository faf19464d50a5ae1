"""C structs of the engine; the unit of each field beside it. Slot and account 0 mean none."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from margin_core.fixed_point cimport bh_int128
from margin_core.types cimport PositionC, SpecC, TIERS_MAX_C

cdef extern from *:
    """
    #ifndef BH_MARGIN
    #define BH_MARGIN 1
    #endif
    """
    const bint WITH_MARGIN "BH_MARGIN"   # 0: the book alone; an order's bucket is its owner

cdef enum:
    MARKETS_MAX = 64
    NEAR_MARKETS = 8
    SLOT_BITS = 28
    EVENTS_RESERVED = 1 << 20    # events of one call before their buffer has to grow
    TRIALS_MAX = 256             # accounts that one fill-or-kill order may meet
    TRIAL_STEPS_MAX = 4096       # orders and parts of icebergs, likewise
    QUEUES_MAX = 256             # icebergs of one level that one trial may meet
    DATES_NEAR = 4096            # entries of the table that finds a date's list
    LEAF_ENTRIES = 84            # so that a node has a kilobyte
    INNER_ENTRIES = 63
    TREE_HEIGHT_MAX = 8

cdef enum MarketStateC:
    STATE_OPEN = 1
    STATE_POST_ONLY = 2
    STATE_CANCEL_ONLY = 3
    STATE_REDUCE_ONLY = 4
    STATE_HALTED = 5
    STATE_AUCTION = 6
    STATE_DELISTING = 7
    STATE_SETTLED = 8            # it has ended: positions are delivered

cdef enum OrderState:
    ORDER_FREE = 0
    ORDER_RESTING = 1
    ORDER_PENDING = 2            # waits for its trigger; `remaining` holds the trigger price
    ORDER_TAKING = 3             # being matched
    ORDER_QUEUED = 4             # accepted in a group, not yet matched

cdef enum OrderFlag:
    POST_ONLY = 1
    REDUCE_ONLY = 2
    TRIGGER_ABOVE = 4
    TRIGGER_BELOW = 8
    SPECIAL = 16                 # has instructions, or lots were taken off it: see ExtraC
    TIMED = 32                   # stands in the list of its date
    TAGGED = 64                  # its session stands in TagC
    NAMED = 128                  # stands in the table of names

cdef enum Instruction:           # flags of the instruction word
    SLIDES = 1                   # a post-only order moves off the opposite best price
    ON_LAST = 2                  # the trigger watches the last price, not the mark
    ATTACHED = 4                 # ends when the position goes flat

cdef enum SelfTradeC:
    CANCEL_NEWEST = 0
    CANCEL_OLDEST = 1
    CANCEL_BOTH = 2
    DECREMENT = 3

cdef enum DueOnC:
    DUE_ON_MARK = 1
    DUE_ON_LAST = 2
    DUE_LATER = 4                # on the mark: this command has had its share

cdef enum AfterC:                # what a bucket waits for until the fills of a command are done
    AFTER_TRIM = 1               # its reservations exceed the free balance
    AFTER_MOVE = 2               # its position changed and orders follow it
    AFTER_FLAT = 4               # its position was closed or turned
    AFTER_SIBLING = 8            # the end of an order ends its sibling
    AFTER_ALONE = 16             # orders that wait to reduce may have nothing to reduce any more

cdef struct CommandC:            # as commands.RECORD
    uint8_t kind
    uint8_t side
    uint8_t time_in_force
    uint8_t flags
    uint16_t market_id
    uint16_t trigger_kind
    uint32_t account
    uint32_t price               # ticks
    int64_t time_ns
    uint64_t nonce
    uint64_t order_id            # or aux: time of an index in ms, market state, frozen or not
    int64_t amount               # quote
    uint32_t qty                 # lots
    uint32_t trigger_price       # ticks
    uint32_t expiry_s
    uint32_t session             # tag for mass cancels, 0 none

cdef struct EventC:              # as events.RECORD
    uint8_t kind
    uint8_t side
    uint8_t reason
    uint8_t flags
    uint16_t market_id
    uint16_t reserved
    uint32_t account
    uint32_t account_2
    uint64_t order_id
    uint64_t order_id_2
    uint32_t price               # ticks
    uint32_t remaining           # lots
    int64_t qty                  # lots
    int64_t amount               # quote
    int64_t amount_2             # quote

cdef struct OrderC:              # one cache line
    uint64_t id                  # sequence << SLOT_BITS | slot
    uint64_t nonce
    int64_t margin               # quote; of the whole signed order
    uint32_t price               # ticks
    uint32_t qty                 # lots, as signed
    uint32_t remaining           # lots
    uint32_t previous            # slot in the level, 0 none; free list uses `next`
    uint32_t next
    uint32_t bucket_previous     # slot in one of the bucket's two lists, newest first
    uint32_t bucket_next
    uint32_t bucket
    uint32_t expiry_s
    uint8_t side                 # 0 buy, 1 sell
    uint8_t time_in_force
    uint8_t flags
    uint8_t state

cdef struct TagC:                # beside an order, by slot: what most orders of clients have
    uint32_t session             # that placed it
    uint32_t date                # list of those with the same date
    uint32_t date_previous       # slots of that list, 0 none
    uint32_t date_next

cdef struct DateC:               # orders that expire at one second, oldest first
    uint64_t since               # id of its first order
    uint32_t expiry_s
    uint32_t head                # slots; 0: this is no list, and `tail` the next one to be had
    uint32_t tail
    uint32_t at                  # in the heap

cdef struct ExtraC:              # beside an order, by slot; one cache line
    uint64_t oco_nonce           # of the sibling, 0 none
    uint32_t display             # lots that the book shows at once, 0 all
    uint32_t shown               # lots that it shows now, of an iceberg
    uint32_t min_lots            # fewest lots that must fill on entry, 0 none
    uint32_t cut                 # lots taken off the signed quantity without a fill
    uint32_t trailing            # ticks, 0 none
    uint32_t trail_previous      # slots of the trails with the same anchor, in order of arrival
    uint32_t trail_next
    uint32_t sibling             # slot, 0 none
    uint8_t self_trade
    uint8_t flags                # of Instruction
    uint8_t is_doomed            # its sibling has ended
    uint8_t padding
    uint32_t waiting_next        # slot in the bucket's list of those that wait, newest first
    uint64_t ended_in            # number of the last trial in which its sibling ended
    uint64_t reserved            # to a cache line

cdef struct BucketC:             # an account's isolated position in one market
    PositionC position
    int64_t margin[2]            # quote; unfilled margin of opening orders, by side
    int64_t lots[2]              # lots; unfilled lots of opening orders, by side
    int64_t reserved             # quote; what the orders hold of the account's free balance
    uint32_t account
    uint32_t market              # slot
    uint32_t orders              # slot of the newest order that may open
    uint32_t order_count
    uint32_t followers           # slot of the newest reduce-only order
    uint8_t is_dirty             # its place in the liquidation index is out of date
    uint8_t is_frozen
    uint8_t is_tried             # in this tick: of TRIED, PASSED_OVER, WAS_PASSED_OVER (index.pxd)
    uint8_t after                # of AfterC
    int64_t top_up_cap           # quote that the owner's standing instruction may still draw
    uint64_t top_up_nonce
    uint32_t top_up_expiry_s
    uint32_t trial_at            # where its copy stands in a trial, if it has one
    uint32_t waiting             # slot of the newest order that waits for its trigger
    uint8_t reducers[2]          # those of them that only reduce, by side
    uint8_t waiting_count        # orders that wait
    uint8_t padding              # to two cache lines

cdef struct ReducingC:           # touched where there are such orders
    int64_t lots[2]              # of a bucket's resting reduce-only orders, by side

cdef struct ListedC:             # what a bucket's entries in the liquidation index are made of
    int64_t lots                 # signed; 0: it has none
    int64_t worth                # quote; collateral less entry value, of a short plus entry value
    int64_t funding_index        # quote per lot * 10^6

cdef struct AccountC:            # one cache line
    int64_t free                 # quote; what the chain holds as free, reservations included
    int64_t reserved             # quote
    uint64_t nonce_word          # newest 64 nonces that were used: nonce >> 6
    uint64_t nonce_bits          # bit nonce & 63; older words are in `nonces`
    uint32_t buckets[NEAR_MARKETS]   # buckets in the first markets; the others in `bucket_of`

cdef struct LevelC:
    uint32_t head
    uint32_t tail
    int64_t lots

cdef struct LadderC:             # price levels with a bitmap tree, 64 children a word; a cache line
    LevelC* levels
    uint64_t* bits[5]            # bits[0]: one bit a price
    uint32_t size                # prices, index 0 unused
    uint32_t best                # ticks, 0 none; kept for the book's sides
    uint32_t window_first        # ticks; outside of the window, what is empty is given back
    uint32_t window_size

cdef struct SlotsC:              # a list that grows
    uint32_t* slots
    uint32_t count
    uint32_t capacity

cdef struct LeafC:               # sorted by key, then slot
    uint32_t count
    uint32_t next_free
    int64_t keys[LEAF_ENTRIES]
    uint32_t slots[LEAF_ENTRIES]
    uint64_t unfreed             # of a free node: height + 1 of the nodes below, which are free too

cdef struct InnerC:              # child k holds what is not below entry k and below entry k + 1
    uint32_t count
    uint32_t next_free
    int64_t keys[INNER_ENTRIES]
    uint32_t slots[INNER_ENTRIES]
    uint32_t children[INNER_ENTRIES]
    uint64_t unfreed

cdef struct TreeC:
    uint32_t root                # 0 empty
    uint32_t height              # 0: the root is a leaf

cdef struct DueC:                # min-heap: side, price and slot in one number
    uint64_t* entries
    uint32_t count
    uint32_t capacity

cdef struct RankedC:
    bh_int128 rank               # LIQ-4
    uint32_t slot

cdef struct RankingC:            # max-heap of a side's positions, made once a tick if needed
    RankedC* entries
    uint32_t count
    uint32_t capacity
    uint32_t is_live

cdef struct MarketC:
    SpecC spec
    LadderC sides[2]             # bids, asks
    LadderC triggers[4]          # mark at or above, at or below; last price likewise
    TreeC index[2][TIERS_MAX_C]  # longs, shorts; of each tier
    int32_t key_shift            # bits that keys of the index leave out
    int32_t is_liquidating
    DueC due                     # liquidatable positions of this tick
    RankingC ranking[2]
    RankingC waiting[2]          # passed over by ADL, by what they can bear (IDX-3)
    SlotsC found                 # scratch
    SlotsC tried                 # in this tick
    SlotsC passed                # as counterparties, in this tick
    uint32_t* dirty              # buckets whose place in the index is out of date
    uint32_t dirty_count
    uint32_t dirty_capacity
    uint32_t bucket_count
    uint32_t ticks_max           # as in the spec
    uint32_t worst_price[2]      # ticks, by side; BAND-1, of the last price row
    uint64_t fired_steps         # of trials of its orders that this command has fired
    uint32_t trail_count
    uint32_t last_count          # orders that wait for the last price
    uint8_t has_traded           # while orders wait for the last price, which have not been asked
    uint8_t has_due              # of DueOnC: triggers that a limit has left for the next command
    uint32_t fund                # bucket of the insurance fund
    uint16_t market_id
    uint8_t slot
    uint8_t state
    int64_t index_price          # ticks, 0 none yet
    int64_t mark_price           # ticks
    int64_t last_price           # ticks
    int64_t index_time_ms
    int64_t basis_x256           # ticks * 256
    int64_t premium_ppm_sum
    int64_t premium_count
    int64_t funding_index        # quote per lot * 10^6
    int64_t funding_rate_ppm
    int64_t last_funding_s       # of the last settlement; at first, of the first index
    int64_t grace_until_s        # nobody is liquidated before
    int64_t open_interest        # lots
    int64_t funding_pool         # quote
    int64_t pot                  # quote; all that the market holds (CONS-4)
    int64_t fund_shares          # of the insurance fund's backers (BACK-2)
    uint32_t delivery_at[2]      # buckets below were looked at in this sweep; longs, shorts
    SpecC pending                # announced parameters
    int64_t pending_from_s       # they hold from the first price at or after; 0: there are none
    TreeC pending_index[2][TIERS_MAX_C]   # under keys of the announced parameters
    uint32_t pending_at          # buckets below stand in it
    uint32_t version             # of the parameters; 1 as listed
    LadderC trails[4]            # as `triggers`, by the reference beyond which they move

cdef struct NonceC:              # 64 consecutive nonces of an account
    uint64_t word                # nonce >> 6
    uint64_t used                # bit nonce & 63
    uint32_t account             # 0 = empty
    uint32_t reserved

cdef struct TrialC:              # a resting side while a fill-or-kill order is tried
    PositionC position
    int64_t spendable            # quote
    uint32_t bucket
    uint32_t reserved

cdef struct EmptiedC:            # a page of levels that may go back to the system
    LadderC* ladder
    uint32_t price
    uint32_t reserved

cdef struct CoreC:
    OrderC* orders
    BucketC* buckets
    ListedC* listed              # [bucket]
    AccountC* accounts
    uint32_t* bucket_of          # [account * MARKETS_MAX + market slot], slots from NEAR_MARKETS
    NonceC* nonces
    NonceC* nonces_before        # the table of half the size, while it is moved; else NULL
    NonceC* nonces_next          # of twice the size, while it is made present; else NULL
    uint32_t* names              # slots of orders that were looked for by nonce, by hash
    EventC* events
    EventC* retired[64]          # smaller event buffers; views of them may still be held
    uint32_t retired_count
    MarketC* markets[MARKETS_MAX]
    LeafC* tree_nodes            # the pool of every market's index
    uint32_t tree_node_capacity
    uint32_t tree_node_top       # 1: none was used; node 0 means none
    uint32_t tree_node_free
    TrialC trials[TRIALS_MAX]
    int64_t trial_open_interest  # lots, while a fill-or-kill order is tried
    int64_t trial_pot            # quote, likewise
    uint64_t trial_count         # trials so far
    ExtraC* extras               # [order slot]
    TagC* tags                   # [order slot]
    DateC* dates                 # [list]
    uint32_t* date_heap          # of lists by expiry, then age
    uint32_t date_count          # in the heap
    uint32_t date_top            # the last list ever used
    uint32_t date_free           # a list to be had, 0 none
    int64_t next_expiry_s        # of the heap's first
    uint32_t* trims              # buckets whose `after` is not 0, each once
    uint32_t trim_count
    uint8_t market_slot_of[65536]     # slot + 1
    uint32_t order_capacity
    uint32_t order_top
    uint32_t order_free
    uint32_t order_count
    uint32_t bucket_capacity
    uint32_t bucket_top
    uint32_t account_capacity
    uint32_t account_count       # the insurance fund is 0
    uint32_t market_count
    uint32_t sweep_at            # slot that a book alone looked at last for expiry
    uint64_t hash_key            # the shell's, so that nobody can choose what collides
    uint64_t name_capacity       # power of two, at least twice the orders'
    uint64_t nonce_capacity      # power of two
    uint64_t nonce_count         # entries in use
    uint64_t nonces_before_capacity
    uint64_t nonces_moved        # slots of the table before that have been moved
    uint64_t nonces_discarded    # bytes of it that the system has back
    uint64_t nonces_touched      # bytes of the next table that are present
    uint64_t order_seq
    uint64_t event_count
    uint64_t event_capacity
    uint64_t deposit_seq
    uint64_t seq                 # commands applied
    int64_t time_ns
    int64_t time_s               # of time_ns, rounded down
    int64_t fees                 # quote
    int64_t deposits             # quote
    int64_t withdrawals          # quote
    int32_t is_out_of_memory
    uint8_t is_risk_paused       # GOV-4
    uint8_t has_traded           # a market's `has_traded` or `has_due` may be set
    uint8_t has_changed_specs    # in this call
    ReducingC* reducing          # [bucket]
    uint32_t* doomed             # slots of orders whose sibling has ended in this command
    uint32_t doomed_count
    uint64_t trial_steps         # orders and parts of icebergs that all trials have looked at
    uint64_t fired_steps         # likewise, trials of orders that this command has fired
    uint64_t fired_share         # of these, a market's; 0: to be computed
    uint64_t trials_until        # what `trial_steps` reaches in a group; 0: there is none
    uint32_t fire_turn           # slot of the market that is asked first for what is due
    uint32_t fire_turn_next      # slot + 1 of the first one that a limit for all has held up
    EmptiedC* emptied            # ring of what waits to be given back
    uint32_t emptied_first
    uint32_t emptied_count
    uint32_t newest_date[DATES_NEAR]  # list that was begun last for such an expiry, by remainder

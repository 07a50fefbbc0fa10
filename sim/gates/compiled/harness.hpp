// The queues between a host and compiled gates, and the clock. The semantics are those of sim/gates/simulation.py.
//
// Before this file come: a simulator's `Gates` (verilator.hpp, cxxrtl.hpp) and the design's ports, as macros
//     SOURCES(X)  X(number, bits, payload, valid, ready)     streams into the design
//     SINKS(X)    X(number, bits, payload, valid)            streams out of it, taken at once
//     INPUTS(X)   X(number, bits, port)                      plain inputs
//     OUTPUTS(X)  X(number, bits, port)                      plain outputs
// Counters, items and values that Python reads are rows of 64-bit integers: the low bits first, as on little-endian hosts.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "items are copied as bytes, least significant first");

constexpr unsigned quads(unsigned bits) { return (bits + 63) / 64; }
constexpr unsigned bytes(unsigned bits) { return (bits + 7) / 8; }

#define COUNT(...) +1
constexpr unsigned sinks = 0 SINKS(COUNT);
constexpr unsigned inputs = 0 INPUTS(COUNT);
#undef COUNT
static_assert(sinks <= 64, "one bit of an integer for each stream out of the design");

template <unsigned BITS> struct Item {
    uint64_t cycle;  // in which it was taken, or before which it is not offered
    uint64_t payload[quads(BITS)];
};

// The items that wait for a stream into the design; the first of them may be offered.
template <unsigned BITS> class Source {
    std::vector<Item<BITS>> items;
    size_t next = 0;
    bool offering = false;

public:
    // Whether `count` items may be added: their cycles are not negative, and no bit is set above the last of a payload.
    static bool fits(size_t count, const uint8_t *due, const uint8_t *payloads) {
        unsigned above = 0;
        for (size_t i = 0; i < count; i++) {
            above |= due[(i + 1) * sizeof(uint64_t) - 1] >> 7;
            if constexpr (BITS % 8) above |= payloads[(i + 1) * bytes(BITS) - 1] >> BITS % 8;
        }
        return !above;
    }

    void add(size_t count, const uint8_t *due, const uint8_t *payloads) {
        for (size_t i = 0; i < count; i++) {
            Item<BITS> item{};
            std::memcpy(&item.cycle, due + i * sizeof item.cycle, sizeof item.cycle);
            std::memcpy(item.payload, payloads + i * bytes(BITS), bytes(BITS));
            items.push_back(item);
        }
    }

    template <class Payload, class Valid> void drive(uint64_t cycle, Payload &payload, Valid &valid) {
        if (!offering && next < items.size() && items[next].cycle <= cycle) {
            write<BITS>(payload, items[next].payload);
            offering = true;
        }
        write_bit(valid, offering);
    }

    // What the clock edge does to the queue. Room of items that are gone is used again when there is as much of it as
    // of items that wait, so that an item is moved once on average.
    void take(bool ready) {
        if (!(offering && ready)) return;
        offering = false;
        next++;
        if (next == items.size()) {
            items.clear();
            next = 0;
        } else if (next >= 4096 && 2 * next >= items.size()) {
            items.erase(items.begin(), items.begin() + next);
            next = 0;
        }
    }
};

// What a stream out of the design gave, and a copy for the host to read.
template <unsigned BITS> class Sink {
    std::vector<Item<BITS>> items, handed_out;
    Item<BITS> last{};  // also when it was handed out

public:
    template <class Payload> void keep(uint64_t cycle, const Payload &payload) {
        last.cycle = cycle;
        read<BITS>(payload, last.payload);
        items.push_back(last);
    }

    template <class Payload> bool kept_last(const Payload &payload) const {
        Item<BITS> now{};
        read<BITS>(payload, now.payload);
        return !std::memcmp(now.payload, last.payload, sizeof now.payload);
    }

    const void *hand_out() {
        handed_out.swap(items);
        items.clear();
        return handed_out.data();
    }
};

// A one-bit input: what it is by itself, and the cycles in which it is high besides.
class Pulses {
    bool level = false;
    std::vector<uint64_t> due;
    size_t next = 0;

public:
    void set(bool high) { level = high; }
    void add(uint64_t cycle) { due.push_back(cycle); }

    template <class Port> void drive(uint64_t cycle, Port &port) {
        bool high = level;
        if (next < due.size()) {
            if (due[next] < cycle && ++next == due.size()) {
                due.clear();
                next = 0;
            } else {
                high |= due[next] == cycle;
            }
        }
        write_bit(port, high);
    }
};

class Simulation {
public:
    uint64_t counters[1 + sinks] = {};  // the cycle, then how many items each sink holds
    enum { ran, stopped, changed };     // how a run ends; changed + k: sink k did not keep what it was reported to offer

private:
    Gates gates;
    const uint64_t stops;   // bit k: what sink k offers stops a run
    const int halts;        // the number of the output that stops a run, or -1
    uint64_t reported = 0;  // bit k: what sink k offers in this cycle is kept already
    bool halted = false;    // the output was seen to be high in this cycle
    bool settled = false;   // what is driven is what is due in this cycle, and the design has settled with it

#define X(k, bits, ...) Source<bits> source_##k;
    SOURCES(X)
#undef X
#define X(k, bits, ...) Sink<bits> sink_##k;
    SINKS(X)
#undef X
    Pulses pulses[inputs + 1];

    void settle() {
        if (settled) return;
        settled = true;
        const uint64_t cycle = counters[0];
        (void)cycle;
#define X(k, bits, payload, valid, ready) source_##k.drive(cycle, gates.top.payload, gates.top.valid);
        SOURCES(X)
#undef X
#define X(k, bits, port) \
    if constexpr (bits == 1) pulses[k].drive(cycle, gates.top.port);
        INPUTS(X)
#undef X
        gates.settle();
    }

    bool stops_here() {
        bool stop = false;
#define X(k, bits, payload, valid)                                              \
    if ((stops & ~reported) >> k & 1 && read_bit(gates.top.valid)) {            \
        sink_##k.keep(counters[0], gates.top.payload);                          \
        counters[1 + k]++;                                                      \
        reported |= uint64_t(1) << k;                                           \
        stop = true;                                                            \
    }
        SINKS(X)
#undef X
#define X(k, bits, port)                                                        \
    if constexpr (bits == 1)                                                    \
        if (halts == k && !halted && read_bit(gates.top.port)) stop = halted = true;
        OUTPUTS(X)
#undef X
        return stop;
    }

    int take() {
#define X(k, bits, payload, valid)                                              \
    if (reported >> k & 1) {                                                    \
        if (!read_bit(gates.top.valid) || !sink_##k.kept_last(gates.top.payload)) return changed + k; \
    } else if (read_bit(gates.top.valid)) {                                     \
        sink_##k.keep(counters[0], gates.top.payload);                          \
        counters[1 + k]++;                                                      \
    }
        SINKS(X)
#undef X
#define X(k, bits, payload, valid, ready) source_##k.take(read_bit(gates.top.ready));
        SOURCES(X)
#undef X
        reported = 0;
        halted = false;
        return ran;
    }

public:
    Simulation(uint64_t stops, int halts, const char *waveform) : gates(waveform), stops(stops), halts(halts) {}

    int run(uint64_t until) {
        while (counters[0] < until) {
            settle();
            if (stops_here()) return stopped;
            if (int failure = take()) return failure;
            gates.tick(counters[0]);
            counters[0]++;
            settled = false;
        }
        return ran;
    }

    bool offer(int source, size_t count, const uint8_t *due, const uint8_t *payloads) {
        settled = false;
        switch (source) {
#define X(k, bits, ...)                                                         \
    case k:                                                                     \
        if (!source_##k.fits(count, due, payloads)) return false;               \
        source_##k.add(count, due, payloads);                                   \
        break;
            SOURCES(X)
#undef X
        }
        return true;
    }

    void pulse(int input, uint64_t due) {
        settled = false;
        pulses[input].add(due);
    }

    void set(int input, const uint64_t *bits_of_value) {
        settled = false;
        switch (input) {
#define X(k, bits, port)                                                        \
    case k:                                                                     \
        if constexpr (bits == 1) pulses[k].set(bits_of_value[0]);               \
        else write<bits>(gates.top.port, bits_of_value);                        \
        break;
            INPUTS(X)
#undef X
        }
    }

    void value(int output, uint64_t *bits_of_value) {
        settle();
        switch (output) {
#define X(k, bits, port) \
    case k: read<bits>(gates.top.port, bits_of_value); break;
            OUTPUTS(X)
#undef X
        }
    }

    const void *taken(int sink) {
        counters[1 + sink] = 0;
        switch (sink) {
#define X(k, ...) \
    case k: return sink_##k.hand_out();
            SINKS(X)
#undef X
        }
        return nullptr;
    }
};

// What sim/gates/compiled/simulation.py calls.
extern "C" {
Simulation *gates_open(uint64_t stops, int halts, const char *waveform) { return new Simulation(stops, halts, waveform); }
void gates_close(Simulation *simulation) { delete simulation; }
uint64_t *gates_counters(Simulation *simulation) { return simulation->counters; }
int gates_run(Simulation *simulation, uint64_t until) { return simulation->run(until); }
int gates_offer(Simulation *simulation, int source, size_t count, const uint8_t *due, const uint8_t *payloads) {
    return simulation->offer(source, count, due, payloads);
}
int gates_offer_one(Simulation *simulation, int source, uint64_t due, const uint8_t *payload) {
    return simulation->offer(source, 1, reinterpret_cast<const uint8_t *>(&due), payload);
}
void gates_pulse(Simulation *simulation, int input, uint64_t due) { simulation->pulse(input, due); }
void gates_set(Simulation *simulation, int input, const uint64_t *bits) { simulation->set(input, bits); }
void gates_value(Simulation *simulation, int output, uint64_t *bits) { simulation->value(output, bits); }
const void *gates_taken(Simulation *simulation, int sink) { return simulation->taken(sink); }
}

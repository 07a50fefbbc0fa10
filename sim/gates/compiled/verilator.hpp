// The gates as Verilator makes them: class Vtop, whose ports are integers up to 64 bits and arrays of 32-bit words above.

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "Vtop.h"
#include "verilated.h"
#ifdef WAVEFORM
#include WAVEFORM_HEADER
#endif

template <unsigned BITS, class Port> void write(Port &port, const uint64_t *bits) {
    if constexpr (std::is_integral_v<Port>)
        port = static_cast<Port>(bits[0]);
    else
        std::memcpy(&port[0], bits, sizeof port);
}

template <unsigned BITS, class Port> void read(const Port &port, uint64_t *bits) {
    if constexpr (std::is_integral_v<Port>)
        bits[0] = port;
    else
        std::memcpy(bits, &port[0], sizeof port);
}

template <class Port> void write_bit(Port &port, bool high) { port = high; }
template <class Port> bool read_bit(const Port &port) { return port; }

class Gates {
    VerilatedContext context;

public:
    Vtop top{&context};

    explicit Gates(const char *waveform) {
#ifdef WAVEFORM
        context.traceEverOn(true);
        top.trace(&trace, 99);  // levels of the hierarchy
        trace.set_time_resolution("ns");
        trace.open(waveform);
#else
        (void)waveform;
#endif
    }

    ~Gates() {
        top.final();
#ifdef WAVEFORM
        trace.close();
#endif
    }

    // The clock is low while a cycle settles: with what is driven, so that its falling edge costs no evaluation.
    void settle() {
        clock(false);
        top.eval();
    }

    void tick(uint64_t cycle) {
        dump(2 * cycle);
        clock(true);
        top.eval();
        dump(2 * cycle + 1);
    }

private:
#ifdef WAVEFORM
    WAVEFORM trace;
#endif

    void dump(uint64_t ns) {
#ifdef WAVEFORM
        trace.dump(ns);
#else
        (void)ns;
#endif
    }

    void clock(bool high) {
        top.CLOCK = high;
    }
};

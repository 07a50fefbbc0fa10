// The gates as CXXRTL makes them: class p_top in top.hpp, whose ports are values or registers made of 32-bit words.

#include <cstdint>
#include <cstring>

#include "top.hpp"
#ifdef WAVEFORM
#include <fstream>
#include <cxxrtl/cxxrtl_vcd.h>
#endif

template <size_t BITS> cxxrtl::value<BITS> &now(cxxrtl::value<BITS> &port) { return port; }
template <size_t BITS> cxxrtl::value<BITS> &now(cxxrtl::wire<BITS> &port) { return port.curr; }
template <size_t BITS> const cxxrtl::value<BITS> &now(const cxxrtl::value<BITS> &port) { return port; }
template <size_t BITS> const cxxrtl::value<BITS> &now(const cxxrtl::wire<BITS> &port) { return port.curr; }

template <unsigned BITS, class Port> void write(Port &port, const uint64_t *bits) {
    std::memcpy(now(port).data, bits, sizeof now(port).data);
}

template <unsigned BITS, class Port> void read(const Port &port, uint64_t *bits) {
    bits[(BITS - 1) / 64] = 0;
    std::memcpy(bits, now(port).data, sizeof now(port).data);
}

template <class Port> void write_bit(Port &port, bool high) { now(port).data[0] = high; }
template <class Port> bool read_bit(const Port &port) { return now(port).data[0]; }

class Gates {
public:
    cxxrtl_design::p_top top;

    explicit Gates(const char *waveform) {
#ifdef WAVEFORM
        file.open(waveform);
        cxxrtl::debug_items items;
        top.debug_info(&items, nullptr, "top ");
        vcd.timescale(1, "ns");
        vcd.add_without_memories(items);
#else
        (void)waveform;
#endif
    }

    void settle() {
        clock(false);
        top.step();
    }

    void tick(uint64_t cycle) {
        dump(2 * cycle);
        clock(true);
        top.step();
        dump(2 * cycle + 1);
    }

private:
#ifdef WAVEFORM
    std::ofstream file;
    cxxrtl::vcd_writer vcd;
#endif

    void dump(uint64_t ns) {
#ifdef WAVEFORM
        vcd.sample(ns);
        file << vcd.buffer;
        vcd.buffer.clear();
#else
        (void)ns;
#endif
    }

    void clock(bool high) {
        write_bit(top.CLOCK, high);
    }
};

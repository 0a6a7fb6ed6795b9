// Event-driven simulation of a netlist with path delays: 64 independent sequences in each word.
//
// A gate is one output of a cell. Where its function changes, its output is looked at again after
// the delay of the path: the shortest of those from the inputs that have just changed, by the edge.
// It then takes the value that the function has by then, so that shorter pulses are swallowed.

#include <bit>
#include <cstdint>
#include <vector>

using Word = std::uint64_t;

#include "cells.h"  // static inline Word evaluate(int function, const Word* in), MOST_INPUTS

struct Netlist {
    std::int32_t nets, gates, sources;
    const std::int32_t* function;        // of each gate
    const std::int32_t* first_pin;       // of each gate, and one more: where its pins begin
    const std::int32_t* net_of;          // of each gate, then of each source: the net it drives
    const std::int32_t* pin_net;         // of each pin
    const std::int32_t* delay[2];        // of each pin, to a fall and to a rise
    const std::int32_t* order[2];        // of each gate's pins, the fastest first, for both edges
    const std::int32_t* launch[2];       // of each source, likewise
    const std::int32_t* first_sink;      // of each net, and one more: where its sinks begin
    const std::int32_t* sink_gate;
    const std::int32_t* sink_pin;
};

namespace {

struct Event {
    std::int32_t driver;
    Word lanes;
};

class Simulation {
   public:
    explicit Simulation(const Netlist& netlist)
        : n(netlist),
          target(n.gates + n.sources),
          net_changed(n.nets),
          pin_changed(n.first_pin[n.gates]),
          touched(n.gates) {}

    // One cycle: from the settled `values` to those that follow from the values of the sources.
    void cycle(Word* values, const Word* sources, std::int64_t* counts) {
        for (int gate = 0; gate < n.gates; ++gate) target[gate] = values[n.net_of[gate]];
        for (int source = 0; source < n.sources; ++source) {
            const Word now = sources[source], before = values[n.net_of[n.gates + source]];
            target[n.gates + source] = now;
            for (int rise = 0; rise < 2; ++rise) {
                const Word lanes = (now ^ before) & (rise ? now : ~now);
                schedule(n.launch[rise][source], n.gates + source, lanes);
            }
        }
        for (std::size_t time = 0; time < wheel.size(); ++time) {
            if (wheel[time].empty()) continue;
            apply(wheel[time], values, counts);
            wheel[time].clear();
            propagate(static_cast<std::int32_t>(time), values);
        }
    }

   private:
    const Netlist& n;
    std::vector<Word> target;  // what the function of each driver is
    std::vector<Word> net_changed, pin_changed;
    std::vector<char> touched;
    std::vector<std::int32_t> changed_nets, gates;
    std::vector<std::vector<Event>> wheel;  // the events of each picosecond

    void schedule(std::int32_t time, std::int32_t driver, Word lanes) {
        if (!lanes) return;
        if (wheel.size() <= static_cast<std::size_t>(time)) wheel.resize(time + 1);
        wheel[time].push_back({driver, lanes});
    }

    void apply(const std::vector<Event>& events, Word* values, std::int64_t* counts) {
        changed_nets.clear();
        for (const Event& event : events) {
            const std::int32_t net = n.net_of[event.driver];
            const Word changed = (values[net] ^ target[event.driver]) & event.lanes;
            if (!changed) continue;
            values[net] ^= changed;
            counts[net] += std::popcount(changed);
            if (!net_changed[net]) changed_nets.push_back(net);
            net_changed[net] |= changed;
        }
    }

    void propagate(std::int32_t time, const Word* values) {
        gates.clear();
        for (const std::int32_t net : changed_nets) {
            for (std::int32_t sink = n.first_sink[net]; sink < n.first_sink[net + 1]; ++sink) {
                const std::int32_t gate = n.sink_gate[sink];
                pin_changed[n.sink_pin[sink]] |= net_changed[net];
                if (!touched[gate]) gates.push_back(gate);
                touched[gate] = 1;
            }
            net_changed[net] = 0;
        }
        for (const std::int32_t gate : gates) {
            const std::int32_t begin = n.first_pin[gate], end = n.first_pin[gate + 1];
            Word in[MOST_INPUTS];
            for (std::int32_t pin = begin; pin < end; ++pin) in[pin - begin] = values[n.pin_net[pin]];
            const Word now = evaluate(n.function[gate], in), changed = now ^ target[gate];
            target[gate] = now;
            for (int rise = 0; rise < 2; ++rise) {
                Word left = changed & (rise ? now : ~now);
                for (std::int32_t place = begin; left && place < end; ++place) {
                    const std::int32_t pin = n.order[rise][place];
                    schedule(time + n.delay[rise][pin], gate, left & pin_changed[pin]);
                    left &= ~pin_changed[pin];
                }
            }
            for (std::int32_t pin = begin; pin < end; ++pin) pin_changed[pin] = 0;
            touched[gate] = 0;
        }
    }
};

}  // namespace

extern "C" {

// The netlist must live as long.
Simulation* create(const Netlist* netlist) { return new Simulation(*netlist); }

void destroy(Simulation* simulation) { delete simulation; }

// One word of each net and of each source.
void run_cycle(Simulation* simulation, Word* values, const Word* sources, std::int64_t* counts) {
    simulation->cycle(values, sources, counts);
}
}

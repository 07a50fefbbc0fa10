/* A run forward alone, whose results come over a stream. */
#include "deltatrain_inside.h"
#include "deltatrain_registers.h"

/* Read a packet of `count` results to where they go; a packet of another length is an error of the bus. */
static enum deltatrain_result read_results(const struct deltatrain *machine, int64_t *results, uint32_t count)
{
    const struct deltatrain_bus *bus = &machine->bus;
    const uint32_t bytes = machine->program->result_bytes;
    uint8_t *raw = (uint8_t *)results; /* they are no longer in the stream than here */
    uint32_t found, number = count, byte;
    if (bus->read_packet(bus->context, raw, count * bytes, &found) || found != count * bytes) return DELTATRAIN_BUS;
    while (number-- > 0) {
        uint64_t value = raw[bytes * number + bytes - 1] & 0x80 ? UINT64_MAX : 0;
        for (byte = bytes; byte-- > 0;) value = value << 8 | raw[bytes * number + byte];
        results[number] = value <= INT64_MAX ? (int64_t)value : -(int64_t)(UINT64_MAX - value) - 1;
    }
    return DELTATRAIN_OK;
}

/* Wait until more than `read` packets of results were made, or the machine is idle: tell whether they were. */
static enum deltatrain_result wait_for_packet(const struct deltatrain *machine, uint32_t read, uint32_t *is_there)
{
    uint32_t polls, status, made;
    for (polls = 0; polls < machine->most_polls; polls++) {
        TRY(deltatrain_read_register(machine, DELTATRAIN_STATUS, &status));
        TRY(deltatrain_read_register(machine, DELTATRAIN_RESULTS, &made));
        *is_there = (made & DELTATRAIN_RESULTS_MADE_MASK) >> DELTATRAIN_RESULTS_MADE_LOW > read;
        if (*is_there || status & DELTATRAIN_STATUS_IDLE_MASK) return DELTATRAIN_OK;
    }
    return DELTATRAIN_TIMEOUT;
}

static enum deltatrain_result start_and_read(const struct deltatrain *machine, int64_t *results)
{
    const struct deltatrain_program *program = machine->program;
    uint32_t packet, is_there = 1, status;
    TRY(deltatrain_write_register(machine, DELTATRAIN_CONTROL, DELTATRAIN_CONTROL_START_MASK));
    for (packet = 0; packet < program->packets && is_there; packet++) {
        TRY(wait_for_packet(machine, packet, &is_there));
        if (is_there) TRY(read_results(machine, results + packet * program->packet_values, program->packet_values));
    }
    TRY(deltatrain_wait_until_idle(machine, &status));
    TRY(deltatrain_how_it_ended(status));
    return is_there ? DELTATRAIN_OK : DELTATRAIN_BUS;
}

enum deltatrain_result deltatrain_infer(
    const struct deltatrain *machine, struct deltatrain_numbers sequence, struct deltatrain_results results)
{
    const struct deltatrain_program *program = machine->program;
    enum deltatrain_result result;
    uint32_t waiting;
    MUST(program->forward_alone && machine->bus.read_packet && deltatrain_takes_sequence(program, 0, sequence));
    MUST(results.values && results.count == program->packets * program->packet_values);
    TRY(deltatrain_must_be_idle(machine));
    TRY(deltatrain_send(machine, 0, sequence));
    TRY(deltatrain_read_register(machine, DELTATRAIN_RESULTS, &waiting));
    waiting = (waiting & DELTATRAIN_RESULTS_WAITING_MASK) >> DELTATRAIN_RESULTS_WAITING_LOW;
    while (waiting-- > 0) { /* of a run that was stopped */
        uint8_t dropped[8];
        uint32_t count;
        if (machine->bus.read_packet(machine->bus.context, dropped, sizeof dropped, &count)) return DELTATRAIN_BUS;
    }
    TRY(deltatrain_write_register(machine, DELTATRAIN_STREAMS, DELTATRAIN_STREAMS_RESULTS_MASK));
    result = start_and_read(machine, results.values);
    TRY(deltatrain_write_register(machine, DELTATRAIN_STREAMS, 0));
    return result;
}

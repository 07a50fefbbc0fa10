/* Opening a machine, its program, its thresholds and counters. */
#include "deltatrain_inside.h"
#include "deltatrain_registers.h"

#define ALIGNMENT_BYTES 128u
#define MOST_LEAST (UINT32_C(1) << 16) /* a difference that never fires */

enum deltatrain_result deltatrain_open(
    struct deltatrain *machine,
    const struct deltatrain_bus *bus,
    const struct deltatrain_program *program,
    uint32_t memory,
    uint32_t most_polls)
{
    const uint32_t version = DELTATRAIN_LAYOUT_VERSION << DELTATRAIN_VERSION_LAYOUT_LOW |
                             DELTATRAIN_FORMAT_VERSION << DELTATRAIN_VERSION_COMMANDS_LOW;
    uint32_t found, low, high;
    MUST(machine && bus && program);
    MUST(bus->read32 && bus->write32 && bus->read_bytes && bus->write_bytes);
    MUST(memory % ALIGNMENT_BYTES == 0 && program->memory_bytes - 1 <= UINT32_MAX - memory);
    machine->bus = *bus;
    machine->program = program;
    machine->memory = memory;
    machine->most_polls = most_polls;
    TRY(deltatrain_read_register(machine, DELTATRAIN_VERSION, &found));
    TRY(deltatrain_read_register(machine, DELTATRAIN_IDENTITY_LOW, &low));
    TRY(deltatrain_read_register(machine, DELTATRAIN_IDENTITY_HIGH, &high));
    if (found != version || ((uint64_t)high << 32 | low) != program->identity) return DELTATRAIN_IDENTITY;
    return deltatrain_load_program(machine);
}

enum deltatrain_result deltatrain_load_program(const struct deltatrain *machine)
{
    static const uint32_t bases[DELTATRAIN_BASES] = {
        DELTATRAIN_WEIGHTS_BASE, DELTATRAIN_GRADIENTS_BASE, DELTATRAIN_TAPE_BASE, DELTATRAIN_INPUTS_BASE};
    const struct deltatrain_program *program = machine->program;
    uint32_t number;
    TRY(deltatrain_must_be_idle(machine));
    TRY(deltatrain_write_memory(machine, program->commands_offset, program->commands, program->command_bytes));
    TRY(deltatrain_write_register(machine, DELTATRAIN_PROGRAM_ADDRESS, machine->memory + program->commands_offset));
    TRY(deltatrain_write_register(machine, DELTATRAIN_PROGRAM_BYTES, program->command_bytes));
    for (number = 0; number < DELTATRAIN_BASES; number++) {
        TRY(deltatrain_write_register(machine, bases[number], machine->memory + program->bases[number]));
    }
    for (number = 0; number < DELTATRAIN_UNITS; number++) {
        uint32_t address = DELTATRAIN_FINISHES_ENCODER + DELTATRAIN_WORD_BYTES * number;
        TRY(deltatrain_write_register(machine, address, program->finishes[number]));
    }
    for (number = 0; number < program->threshold_count; number++) {
        TRY(deltatrain_set_threshold(machine, number, program->thresholds[number]));
    }
    return DELTATRAIN_OK;
}

enum deltatrain_result deltatrain_set_threshold(const struct deltatrain *machine, uint32_t number, uint32_t least)
{
    MUST(number < machine->program->threshold_count && least <= MOST_LEAST);
    return deltatrain_write_register(machine, DELTATRAIN_THRESHOLD_0 + DELTATRAIN_WORD_BYTES * number, least);
}

enum deltatrain_result deltatrain_counter(const struct deltatrain *machine, uint32_t low, uint64_t *count)
{
    uint32_t before, least, after;
    MUST(count && low >= DELTATRAIN_CYCLES_LOW && low % (2 * DELTATRAIN_WORD_BYTES) == 0);
    MUST(low < DELTATRAIN_REGISTERS_BYTES);
    TRY(deltatrain_read_register(machine, low + DELTATRAIN_WORD_BYTES, &after));
    do {
        before = after;
        TRY(deltatrain_read_register(machine, low, &least));
        TRY(deltatrain_read_register(machine, low + DELTATRAIN_WORD_BYTES, &after));
    } while (before != after);
    *count = (uint64_t)after << 32 | least;
    return DELTATRAIN_OK;
}

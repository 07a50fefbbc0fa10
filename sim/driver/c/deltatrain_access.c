/* Registers, memory, and values in it, one after the other. */
#include "deltatrain_inside.h"

enum deltatrain_result deltatrain_read_register(const struct deltatrain *machine, uint32_t address, uint32_t *value)
{
    return machine->bus.read32(machine->bus.context, address, value) ? DELTATRAIN_BUS : DELTATRAIN_OK;
}

enum deltatrain_result deltatrain_write_register(const struct deltatrain *machine, uint32_t address, uint32_t value)
{
    return machine->bus.write32(machine->bus.context, address, value) ? DELTATRAIN_BUS : DELTATRAIN_OK;
}

enum deltatrain_result deltatrain_read_memory(
    const struct deltatrain *machine, uint32_t offset, uint8_t *bytes, uint32_t count)
{
    const struct deltatrain_bus *bus = &machine->bus;
    return bus->read_bytes(bus->context, machine->memory + offset, bytes, count) ? DELTATRAIN_BUS : DELTATRAIN_OK;
}

enum deltatrain_result deltatrain_write_memory(
    const struct deltatrain *machine, uint32_t offset, const uint8_t *bytes, uint32_t count)
{
    const struct deltatrain_bus *bus = &machine->bus;
    return bus->write_bytes(bus->context, machine->memory + offset, bytes, count) ? DELTATRAIN_BUS : DELTATRAIN_OK;
}

enum deltatrain_result deltatrain_flush(struct deltatrain_values *values)
{
    TRY(deltatrain_write_memory(values->machine, values->offset, values->bytes, values->used));
    values->offset += values->used;
    values->used = 0;
    return DELTATRAIN_OK;
}

enum deltatrain_result deltatrain_put(struct deltatrain_values *values, int32_t value, uint32_t value_bytes)
{
    uint32_t number;
    if (values->used + value_bytes > DELTATRAIN_BUFFER_BYTES) TRY(deltatrain_flush(values));
    for (number = 0; number < value_bytes; number++) {
        values->bytes[values->used++] = (uint8_t)(number < 4 ? (uint32_t)value >> (8 * number) : value < 0 ? 0xff : 0);
    }
    return DELTATRAIN_OK;
}

enum deltatrain_result deltatrain_get(struct deltatrain_values *values, int32_t *value, uint32_t value_bytes)
{
    uint32_t number, found = 0;
    if (values->used + value_bytes > DELTATRAIN_BUFFER_BYTES || values->used == 0) {
        uint32_t count = DELTATRAIN_BUFFER_BYTES - DELTATRAIN_BUFFER_BYTES % value_bytes;
        values->offset += values->used;
        values->left -= values->used;
        if (values->left < DELTATRAIN_BUFFER_BYTES) count = values->left;
        TRY(deltatrain_read_memory(values->machine, values->offset, values->bytes, count));
        values->used = 0;
    }
    for (number = 0; number < value_bytes && number < 4; number++) {
        found |= (uint32_t)values->bytes[values->used + number] << (8 * number);
    }
    if (value_bytes < 4 && found >> (8 * value_bytes - 1)) found |= UINT32_MAX << (8 * value_bytes);
    values->used += value_bytes;
    *value = found <= INT32_MAX ? (int32_t)found : -(int32_t)(UINT32_MAX - found) - 1;
    return DELTATRAIN_OK;
}

int deltatrain_are_within(struct deltatrain_numbers numbers, uint32_t count, int32_t lowest, int32_t highest)
{
    uint32_t number;
    if (!numbers.values || numbers.count != count) return 0;
    for (number = 0; number < count; number++) {
        if (numbers.values[number] < lowest || numbers.values[number] > highest) return 0;
    }
    return 1;
}

"""Verilog for people: names and loops, the same design."""

from __future__ import annotations

from deltatrain.sim.gates.export.readable import readable

WRITTEN = """\
module top(a, b);
  wire \\$1 ;
  \\top.part  part (
    .a(a)
  );
  \\top.part.queue  queue (
    .a(a)
  );
endmodule

module \\top.part (a);
  reg [2:0] storage [1:0];
  initial begin
    storage[0] = 3'h0;
    storage[1] = 3'h0;
  end
endmodule

module \\top.part.queue (a);
  reg [2:0] storage [1:0];
  initial begin
    storage[0] = 3'h0;
    storage[1] = 3'h5;
  end
endmodule
"""


def test_modules_have_plain_names_and_zeros_are_a_loop():
    text = readable(WRITTEN)
    assert [line for line in text.splitlines() if line.startswith("module")] == [
        "module top(a, b);",
        "module top_part (a);",
        "module top_part_queue (a);",
    ]
    assert "  top_part  part (" in text
    assert "  top_part_queue  queue (" in text
    assert "for (row = 0; row < 2; row = row + 1) storage[row] = 3'h0;" in text
    assert "storage[1] = 3'h5;" in text
    assert "wire \\$1 ;" in text

module unit(input clk, input rst, output reg [7:0] n);
  always @(posedge clk) if (rst) n <= 0; else n <= n + 1;
endmodule

module tile(input clk, input rst, input go, output [7:0] a, output reg [7:0] b);
  wire [7:0] c, d;
  unit count(.clk(clk), .rst(rst), .n(c));
  unit other(.clk(clk), .rst(go), .n(d));
  assign a = c;
  always @(posedge clk) b <= c + d;
endmodule

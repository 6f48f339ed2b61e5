// Side-by-side speed: each benchmark runs both sides and prints the ratio. Results and what did not help: docs/performance.md.

using NanoGpt.Benchmarks;

return args switch
{
    ["train", ..] => Train.Run(args.AsSpan(1)),
    ["load", ..] => Load.Run(args.AsSpan(1)),
    ["generate", ..] => Generate.Run(args.AsSpan(1)),
    ["rounding", ..] => Rounding.Run(args.AsSpan(1)),
    ["tokenize", ..] => Tokenize.Run(args.AsSpan(1)),
    ["prepare", ..] => Prepare.Run(args.AsSpan(1)),
    ["convert", ..] => ConvertXl.Run(args.AsSpan(1)),
    ["products"] => Products.Run(),
    _ => Usage(),
};

static int Usage()
{
    Console.WriteLine($"""
        benchmarks, one at a time, built with -c Release, on a machine that does nothing else:
          {Train.Usage}
          generate [rounds] [threads]
          {Rounding.Usage}
          load
          products
          tokenize FILE
          prepare FILE [MB]
          convert
        """);
    return 1;
}

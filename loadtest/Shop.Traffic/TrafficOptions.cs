using System.Globalization;

namespace Shop.Traffic;

/// <summary>What to send, and where.</summary>
internal sealed record TrafficOptions(double Rate, TimeSpan? Duration, Uri Products, Uri Orders, Uri Inventory)
{
    public const string Usage = """
        Sends mixed traffic to a shop until Ctrl-C, and then reads back what it did and compares it with the shop's books.

          --rate 200                          requests a second, 1 to 50,000
          --seconds 60                        stop by itself after so long
          --products http://localhost:5001    where the services are
          --orders http://localhost:5002
          --inventory http://localhost:5003
        """;

    /// <returns>The options; null where they are wrong, and then what is wrong.</returns>
    public static TrafficOptions? Read(IReadOnlyList<string> args, out string problem)
    {
        var values = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["--rate"] = "200",
            ["--seconds"] = "",
            ["--products"] = "http://localhost:5001",
            ["--orders"] = "http://localhost:5002",
            ["--inventory"] = "http://localhost:5003",
        };
        var wrong = new List<string>();
        for (int i = 0; i < args.Count; i += 2)
        {
            if (values.ContainsKey(args[i]) && i + 1 < args.Count) values[args[i]] = args[i + 1];
            else wrong.Add(args[i] == "--help" ? "" : $"'{args[i]}' is no option, or has no value.");
        }

        double rate = Number("--rate", 1, 50_000);
        TimeSpan? duration = values["--seconds"].Length == 0 ? null : TimeSpan.FromSeconds(Number("--seconds", 1, 1_000_000));
        var options = new TrafficOptions(rate, duration, Address("--products"), Address("--orders"), Address("--inventory"));
        problem = string.Join('\n', wrong.Append(Usage).Where(line => line.Length > 0));
        return wrong.Count == 0 ? options : null;

        double Number(string name, double from, double to)
        {
            if (double.TryParse(values[name], NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && number >= from && number <= to) return number;
            wrong.Add($"{name} is '{values[name]}', but must be a number from {from:N0} to {to:N0}.");
            return from;
        }

        Uri Address(string name)
        {
            if (Uri.TryCreate(values[name], UriKind.Absolute, out Uri? address) && address.Scheme is "http" or "https") return address;
            wrong.Add($"{name} is '{values[name]}', but must be an address such as http://localhost:5001.");
            return new Uri("http://localhost");
        }
    }
}

using System.Globalization;

namespace Shop.Traffic;

/// <summary>What to send, and where.</summary>
internal sealed record TrafficOptions(LoadProfile Profile, Uri Products, Uri Orders, Uri Inventory, string? Key = null)
{
    /// <summary>Most requests a second.</summary>
    public const double MaxRate = 50_000;

    private const string Run = "dotnet run -c Release --project loadtest/Shop.Traffic --";

    public const string Usage = $"""
    Sends mixed traffic to a shop until Ctrl-C, and then reads back what it did and compares it with the shop's books.

      --rate 200                          requests a second, 1 to 50,000
      --seconds 60                        stop by itself after this time
      --profile constant                  how the rate changes, as k6's profiles:
                                            constant   the rate all the time
                                            ramping    up in a third of the time, the rate, and down again
                                            spike      a tenth of the rate, but all of it in the middle fifth
      --stages 30s:100,2m:500,30s:0       a profile of your own: in 30 s from 0 to 100 a second, in 2 min to 500, …
      --products http://localhost:5001    addresses of the services
      --orders http://localhost:5002
      --inventory http://localhost:5003
      --key KEY                           a key that may write, for a shop that needs one

    Examples:

      {Run} --rate 500
      {Run} --profile ramping --rate 2000 --seconds 90
      {Run} --profile spike --rate 3000 --seconds 60
      {Run} --stages 20s:200,1m:200,5s:4000,20s:4000,10s:0

    Its exit code is 0 if the shop's books agree with what was acknowledged, 1 if not, 2 if an option is wrong.
    """;

    private static readonly TimeSpan DefaultLength = TimeSpan.FromSeconds(60);

    /// <returns>The options; null if they are wrong, and then what is wrong.</returns>
    public static TrafficOptions? Read(IReadOnlyList<string> args, out string problem)
    {
        var arguments = new Arguments(args);
        var options = new TrafficOptions(arguments.Profile(), arguments.Address("--products"),
            arguments.Address("--orders"), arguments.Address("--inventory"),
            arguments.Key());
        problem = string.Join('\n', arguments.Wrong.Append(Usage).Where(line => line.Length > 0));
        return arguments.Wrong.Count == 0 ? options : null;
    }

    private sealed class Arguments
    {
        private static readonly string[] OfNamedProfiles = ["--rate", "--seconds", "--profile"];

        private readonly HashSet<string> _given = new(StringComparer.Ordinal);
        private readonly Dictionary<string, string> _values = new(StringComparer.Ordinal)
        {
            ["--rate"] = "200",
            ["--seconds"] = "",
            ["--profile"] = "constant",
            ["--stages"] = "",
            ["--products"] = "http://localhost:5001",
            ["--orders"] = "http://localhost:5002",
            ["--inventory"] = "http://localhost:5003",
            ["--key"] = "",
        };

        public Arguments(IReadOnlyList<string> args)
        {
            for (int i = 0; i < args.Count; i += 2)
            {
                if (!_values.ContainsKey(args[i]) || i + 1 == args.Count)
                {
                    Wrong.Add(args[i] == "--help" ? "" : $"'{args[i]}' is no option, or has no value.");
                    continue;
                }

                _values[args[i]] = args[i + 1];
                _given.Add(args[i]);
            }
        }

        /// <summary>What is wrong, in words.</summary>
        public List<string> Wrong { get; } = [];

        public LoadProfile Profile()
        {
            double rate = Number("--rate", 1, MaxRate);
            TimeSpan? length =
                _values["--seconds"].Length == 0 ? null : TimeSpan.FromSeconds(Number("--seconds", 1, 1_000_000));
            if (_given.Contains("--stages")) return Stages() ?? LoadProfile.Constant(rate, length);
            switch (_values["--profile"])
            {
                case "constant": return LoadProfile.Constant(rate, length);
                case "ramping": return LoadProfile.Ramping(rate, length ?? DefaultLength);
                case "spike": return LoadProfile.Spike(rate, length ?? DefaultLength);
            }

            Wrong.Add(
                $"--profile is '{_values["--profile"]}', but must be one of {string.Join(", ", LoadProfile.Names)}.");
            return LoadProfile.Constant(rate, length);
        }

        public string? Key() => _values["--key"] is { Length: > 0 } key ? key : null;

        public Uri Address(string name)
        {
            if (Uri.TryCreate(_values[name], UriKind.Absolute, out Uri? address) && address.Scheme is "http" or "https")
                return address;
            Wrong.Add($"{name} is '{_values[name]}', but must be an address such as http://localhost:5001.");
            return new Uri("http://localhost");
        }

        private LoadProfile? Stages()
        {
            string[] other = [.. OfNamedProfiles.Where(_given.Contains)];
            if (other.Length > 0)
                Wrong.Add($"--stages says rates and times by itself: leave out {string.Join(" and ", other)}.");
            var stages = LoadProfile.Stages(_values["--stages"]);
            if (stages is null)
                Wrong.Add(string.Create(CultureInfo.InvariantCulture, $"--stages is '{_values["--stages"]}', but must "
                    + $"be times with rates up to {MaxRate:N0}, as 30s:100,2m:500."));
            return stages;
        }

        private double Number(string name, double from, double to)
        {
            if (double.TryParse(_values[name], NumberStyles.Float, CultureInfo.InvariantCulture, out double number)
                && number >= from && number <= to)
            {
                return number;
            }

            Wrong.Add(string.Create(CultureInfo.InvariantCulture,
                $"{name} is '{_values[name]}', but must be a number from {from:N0} to {to:N0}."));
            return from;
        }
    }
}

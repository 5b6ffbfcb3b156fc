using System.Globalization;
using System.Text.RegularExpressions;

namespace Shop.Traffic;

/// <summary>
/// The rate that a run wants, over its time. It is a row of stages, as k6's: in each, the rate goes in a straight line
/// from where it was to the stage's own.
/// </summary>
internal sealed partial class LoadProfile
{
    /// <summary>The profiles that have a name.</summary>
    public static readonly IReadOnlyList<string> Names = ["constant", "ramping", "spike"];

    private static readonly TimeSpan ForEver = TimeSpan.FromDays(3650);

    private readonly List<Segment> _segments = [];

    private LoadProfile(string name, double from, IEnumerable<(TimeSpan Time, double Rate)> stages)
    {
        Name = name;
        (double start, double requests) = (0, 0);
        foreach ((TimeSpan time, double rate) in stages)
        {
            // A stage without time is a jump.
            if (time > TimeSpan.Zero) _segments.Add(new Segment(start, time.TotalSeconds, from, rate, requests));
            start += time.TotalSeconds;
            requests += time.TotalSeconds * (from + rate) / 2;
            from = rate;
        }
    }

    /// <summary>What it is called.</summary>
    public string Name { get; }

    /// <summary>How long it takes; null if it has no end.</summary>
    public TimeSpan? Length =>
        _segments[^1].End >= ForEver.TotalSeconds ? null : TimeSpan.FromSeconds(_segments[^1].End);

    /// <summary>The highest rate.</summary>
    public double Peak => _segments.Max(segment => Math.Max(segment.From, segment.To));

    /// <summary>The same rate all the time.</summary>
    public static LoadProfile Constant(double rate, TimeSpan? length) =>
        new("constant", rate, [(length ?? ForEver, rate)]);

    /// <summary>Up from nothing in the first third, then the rate, and down to nothing in the last.</summary>
    public static LoadProfile Ramping(double rate, TimeSpan length) =>
        new("ramping", 0, [(length / 3, rate), (length / 3, rate), (length / 3, 0)]);

    /// <summary>A tenth of the rate, but all of it at once in the middle fifth.</summary>
    public static LoadProfile Spike(double rate, TimeSpan length) => new("spike", rate / 10,
        [(length * 0.4, rate / 10), (TimeSpan.Zero, rate), (length * 0.2, rate), (TimeSpan.Zero, rate / 10),
            (length * 0.4, rate / 10)]);

    /// <summary>Stages from nothing on, as <c>30s:100,2m:500</c>; null if the text is none.</summary>
    public static LoadProfile? Stages(string text)
    {
        var stages = new List<(TimeSpan, double)>();
        foreach (string part in text.Split(','))
        {
            if (Stage().Match(part.Trim()) is not { Success: true } stage
                || !double.TryParse(stage.Groups["time"].ValueSpan, CultureInfo.InvariantCulture, out double time)
                || !double.TryParse(stage.Groups["rate"].ValueSpan, CultureInfo.InvariantCulture, out double rate)
                || rate > TrafficOptions.MaxRate)
            {
                return null;
            }

            stages.Add((TimeSpan.FromSeconds(stage.Groups["unit"].Value == "m" ? time * 60 : time), rate));
        }

        var profile = new LoadProfile("stages", 0, stages);
        return profile._segments.Count > 0 && profile.Peak > 0 ? profile : null;
    }

    /// <summary>The wanted rate at a time.</summary>
    public double RateAt(TimeSpan time)
    {
        Segment? now = _segments.Find(segment => time.TotalSeconds < segment.End);
        return now is null ? 0 : now.From + ((now.To - now.From) * (time.TotalSeconds - now.Start) / now.Length);
    }

    /// <summary>When a request is due, the first of them being number 0; null if the profile is over before.</summary>
    public TimeSpan? DueAt(long number)
    {
        Segment? its = _segments.Find(segment => number < segment.Before + segment.Requests);
        return its is null ? null : TimeSpan.FromSeconds(its.Start + its.TimeOf(number - its.Before));
    }

    private sealed record Segment(double Start, double Length, double From, double To, double Before)
    {
        public double End => Start + Length;

        public double Requests => Length * (From + To) / 2;

        // The rate is From + slope · t, so the requests until t are From · t + slope · t² / 2.
        public double TimeOf(double requests)
        {
            double slope = (To - From) / Length;
            return slope == 0
                ? requests / From
                : (Math.Sqrt(Math.Max(0, (From * From) + (2 * slope * requests))) - From) / slope;
        }
    }

    [GeneratedRegex(@"^(?<time>\d{1,6})(?<unit>[sm]):(?<rate>\d{1,6})$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Stage();
}

using System.Globalization;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Shop.Traffic;

/// <summary>What a run looks like, second by second: on a terminal a panel with the last minute, else a line.</summary>
internal sealed class TrafficView(LoadProfile profile, Tally tally)
{
    private const int Seconds = 60;
    private const string Heights = "▁▂▃▄▅▆▇█";

    /// <summary>Less of the wanted rate than this is not reached.</summary>
    private const double Reached = 0.95;

    private readonly List<double> _rates = [], _p95s = [], _errors = [];
    private Latencies _lately = new(0, 0, 0, 0);
    private TimeSpan _time, _before;
    private long _failed;
    private double _wanted;
    private int _underWay;

    /// <summary>Values as a row of bars, from 0 to the highest of them.</summary>
    public static string Bars(IReadOnlyList<double> values)
    {
        double top = values.Count == 0 ? 0 : values.Max();
        return string.Concat(values.Select(
            value => value <= 0 ? ' ' : Heights[Math.Min(Heights.Length - 1, (int)(value / top * Heights.Length))]));
    }

    /// <summary>Notes a second.</summary>
    public void Tick(TimeSpan time, int underWay)
    {
        double seconds = Math.Max(0.001, (time - _before).TotalSeconds);
        (_before, _time, _underWay) = (time, time, underWay);
        // What was wanted while these were answered.
        _wanted = profile.RateAt(time - TimeSpan.FromSeconds(seconds / 2));
        _lately = tally.Lately();
        long failed = tally.Failed;
        Note(_rates, _lately.Count / seconds);
        Note(_p95s, _lately.P95);
        Note(_errors, (failed - _failed) / seconds);
        _failed = failed;
    }

    /// <summary>The second in a line.</summary>
    public string Line() => string.Create(CultureInfo.InvariantCulture,
        $"time {Clock(_time)}  wanted/s {_wanted:N0}  answers/s {_rates[^1]:N0}  p50 ms {Number(_lately.P50)}  p95 "
        + $"ms {Number(_lately.P95)}  p99 ms {Number(_lately.P99)}  under way {_underWay:N0}  orders {tally.Orders:N0} "
        + $" refused {tally.Refused:N0}  errors {tally.Failed:N0}");

    /// <summary>The panel.</summary>
    public IRenderable Panel()
    {
        Color rate = _rates[^1] >= Reached * _wanted ? Color.Green : Color.Yellow;
        Color errors = tally.Failed == 0 ? Color.Green : Color.Red;
        Grid grid = new Grid().AddColumn().AddColumn(new GridColumn().RightAligned())
            .AddColumn(new GridColumn().NoWrap());
        Row("time", profile.Length is { } length ? $"{Clock(_time)} of {Clock(length)}" : Clock(_time),
            Color.Default, "");
        Row("wanted a second", Whole(_wanted), Color.Default, Bars(Wanted()), Color.Grey);
        Row("answered a second", Whole(_rates[^1]), rate, Bars(_rates), rate);
        Row("p95 in ms", Number(_lately.P95), Color.Default, Bars(_p95s), Color.Blue);
        Row("p50, p99 in ms", $"{Number(_lately.P50)}, {Number(_lately.P99)}", Color.Default, "");
        Row("errors a second", Whole(_errors[^1]), errors, Bars(_errors), Color.Red);
        Row("errors in all", Whole(tally.Failed), errors,
            tally.Unanswered > 0 ? $"{Whole(tally.Unanswered)} without an answer" : "", Color.Red);
        Row("orders", Whole(tally.Orders), Color.Default,
            $"{Whole(tally.Refused)} refused for want of stock, {Whole(tally.Retries)} retries", Color.Grey);
        Row("under way", Whole(_underWay), Color.Default,
            tally.Unsent > 0 ? $"{Whole(tally.Unsent)} not sent: too many were under way" : "", Color.Yellow);
        return new Panel(grid).Header($" Shop traffic: {profile.Name}, the last minute ").BorderColor(Color.Grey);

        void Row(string what, string figure, Color color, string beside, Color besideColor = default) =>
            grid.AddRow(new Text(what, new Style(Color.Grey)), new Text(figure, new Style(color)),
                new Text(beside, new Style(besideColor)));
    }

    /// <summary>Milliseconds.</summary>
    public static string Number(double millis) =>
        millis.ToString(millis < 10 ? "0.0" : "N0", CultureInfo.InvariantCulture);

    private IReadOnlyList<double> Wanted() =>
        [.. Enumerable.Range(1, _rates.Count)
            .Select(second => profile.RateAt(_time - TimeSpan.FromSeconds(_rates.Count - second + 0.5)))];

    private static void Note(List<double> values, double value)
    {
        values.Add(value);
        if (values.Count > Seconds) values.RemoveAt(0);
    }

    private static string Clock(TimeSpan time) => time.ToString(@"hh\:mm\:ss", CultureInfo.InvariantCulture);

    private static string Whole(double number) => number.ToString("N0", CultureInfo.InvariantCulture);
}

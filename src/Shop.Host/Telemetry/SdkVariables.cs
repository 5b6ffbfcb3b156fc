using System.Globalization;
using Shop.Platform;

namespace Shop.Host.Telemetry;

/// <summary>
/// The variables that the SDK reads by itself. It would silently take its default for a wrong value, and so record
/// every trace if the sampler is misspelled.
/// </summary>
internal static class SdkVariables
{
    private static readonly string[] Samplers =
    [
        "always_on", "always_off", "traceidratio",
        "parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio",
    ];

    /// <summary>All variables that begin so are numbers: the queues and the limits.</summary>
    private static readonly string[] Numbers =
    [
        "OTEL_BSP_", "OTEL_BLRP_", "OTEL_ATTRIBUTE_", "OTEL_SPAN_", "OTEL_EVENT_", "OTEL_LINK_", "OTEL_LOGRECORD_",
    ];

    /// <exception cref="ShopStartException">A variable is wrong.</exception>
    public static void Check(IConfiguration variables)
    {
        const string Sampler = "OTEL_TRACES_SAMPLER";
        Check(Sampler, value => Samplers.Contains(value, StringComparer.OrdinalIgnoreCase),
            $"one of {string.Join(", ", Samplers)}");
        if (variables[Sampler]?.EndsWith("traceidratio", StringComparison.OrdinalIgnoreCase) == true)
            Check($"{Sampler}_ARG", IsRatio, "a number from 0 to 1");
        foreach (string key in variables.GetChildren().Select(variable => variable.Key))
        {
            if (Array.Exists(Numbers, start => key.StartsWith(start, StringComparison.OrdinalIgnoreCase)))
                Check(key, IsNumber, "a whole number");
        }

        void Check(string key, Func<string, bool> isRight, string expected)
        {
            if (variables[key] is { Length: > 0 } value && !isRight(value))
                throw OtlpEndpoint.Wrong((key, value), expected);
        }
    }

    private static bool IsRatio(string value) =>
        double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out double ratio)
        && ratio is >= 0 and <= 1;

    private static bool IsNumber(string value) =>
        int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out _);
}

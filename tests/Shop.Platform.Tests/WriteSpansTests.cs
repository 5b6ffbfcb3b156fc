using System.Diagnostics;
using Shop.Platform.Telemetry;

namespace Shop.Platform.Tests;

internal sealed class WriteSpansTests
{
    [Test]
    public void Given_a_commit_of_writes_of_which_some_are_traced_then_its_span_has_the_number_of_all_and_is_linked_with_those()
    {
        using var source = new ActivitySource("Shop.Test.Commits");
        using var listener = new ActivityListener
        {
            ShouldListenTo = each => each == source,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
        };
        ActivitySource.AddActivityListener(listener);
        using Activity first = source.StartActivity("first")!;
        Activity.Current = null;
        using Activity second = source.StartActivity("second")!;
        Activity?[] writes = [null, first, null, null, second];
        using Activity commit = WriteSpans.StartCommit("orders", "sqlite", writes, span => span)!;
        Assert.That(commit.GetTagItem("db.operation.batch.size"), Is.EqualTo(5));
        Assert.That((commit.TraceId, commit.ParentSpanId), Is.EqualTo((first.TraceId, first.SpanId)));
        Assert.That(commit.Links.Select(link => link.Context), Is.EqualTo(new[] { first.Context, second.Context }));
        Assert.That(new[] { first, second }.Select(span => span.Links.Single().Context),
            Is.All.EqualTo(commit.Context));
        Assert.That(WriteSpans.StartCommit("orders", "sqlite", new Activity?[2], span => span), Is.Null);
    }
}

using Shop.Platform.Data;
using Shop.Platform.Data.Sqlite;

namespace Shop.Platform.Tests;

/// <summary>Which files belong together, and which difference their owner has accepted.</summary>
internal sealed class DatabaseConsistencyTests
{
    private static readonly ConsistencyMark First = new("shop", 7, "seven", "six", IsOpening: false, 0, 1000),
        Next = First with { Generation = 8, Mark = "eight", Before = "seven", At = 1_769_860_800_999 };

    [TestCase(0, "0:yes 1:no -1:no")]
    [TestCase(3, "3:yes 4:no -1:no 2:yes 0:yes 1:no 3:no")]
    [TestCase(-2, "-2:yes -3:no 1:no -1:yes 0:yes -1:no")]
    [TestCase(long.MinValue, "5:yes 6:no 5:yes 0:yes 1:no")]
    public void Given_a_difference_that_was_accepted_then_it_may_shrink_and_never_grow_and_is_over_once_there_is_none(
        long accepted, string history)
    {
        var consistency = new DatabaseConsistency { Accepted = accepted };
        Assert.That(string.Join(' ', history.Split(' ').Select(step => step.Split(':')[0])
                .Select(difference => $"{difference}:{(consistency.Allows(long.Parse(difference)) ? "yes" : "no")}")),
            Is.EqualTo(history));
    }

    [Test]
    public void Given_files_with_marks_then_what_does_not_belong_together_is_named()
    {
        ConsistencyMark opening = Next with { IsOpening = true }, none = First with { Generation = 1 };
        (ConsistencyMark? Mark, bool HadLog, bool Existed, string? Difference)[] cases =
        [
            (Next, false, true, null),
            (First, false, true, null), // one step behind
            (First with { Mark = "six", Generation = 6 }, true, true,
                "b.db is older than a.db: it is of 1970-01-01T00:00:01Z, and a.db of 2026-01-31T12:00:00Z"),
            (Next with { Mark = "other" }, true, true, "b.db and a.db went on apart from each other"),
            (Next with { Shop = "other" }, true, true, "b.db is of another shop than a.db"),
            (opening, true, true, null),
            (opening, false, true, "b.db lacks its newest writes: it was copied without b.db-wal"),
            (null, true, true, "b.db is not of this shop"),
            (null, false, false, "b.db is missing"),
        ];
        foreach ((ConsistencyMark? mark, bool hadLog, bool existed, string? difference) in cases)
        {
            Assert.That(ConsistencyMark.Difference(
                [new MarkedFile("a.db", true, true, Next), new MarkedFile("b.db", existed, hadLog, mark)]),
                Is.EqualTo(difference));
        }

        MarkedFile unmarked = new("b.db", false, false, null);
        Assert.That(ConsistencyMark.Difference([unmarked, unmarked]), Is.Null, "new files");
        Assert.That(ConsistencyMark.Difference([new MarkedFile("a.db", true, true, none), unmarked]), Is.Null,
            "the very first mark, which is not in all files yet");
    }
}

using Shop.Platform.Data;

namespace Shop.Platform.Tests;

internal sealed class RowSumTests
{
    private static readonly object?[][] Rows =
    [
        ["ab", "c"], ["a", "bc"], ["", "abc"], ["abc", ""], ["abc", null], [null, "abc"], [null, null], ["", ""],
        [7L, 0L], [0L, 7L], [1L, null], [true, false], [true, true], [-1L, 0L], [256L, 0L], [1L],
        [new byte[] { 1, 2 }, new byte[] { 3 }], [new byte[] { 1 }, new byte[] { 2, 3 }], ["é", "e"], ["e\u0301", "e"],
        ["a", "b"], [new byte[] { 97, 1, 0, 0, 0, 0, 0, 0, 0, 98 }],
    ];

    [Test]
    public void Given_any_two_rows_that_differ_then_their_sums_do_and_those_of_the_same_rows_in_another_order_do_not()
    {
        for (int one = 0; one < Rows.Length; one++)
        {
            for (int other = 0; other < Rows.Length; other++)
                Assert.That(Sum(Rows[one]).IsSame(Sum(Rows[other])), Is.EqualTo(one == other), $"{one} and {other}");
        }

        Assert.That(Sum([.. Rows]).IsSame(Sum([.. Enumerable.Reverse(Rows)])));
        Assert.That(Sum([.. Rows]).IsSame(Sum([.. Rows[1..], Rows[1]])), Is.False, "as many rows, and not the same");
        Assert.That(Sum(Rows[0], Rows[0]).IsSame(Sum(Rows[0])), Is.False);
        Assert.That(Sum([.. Rows]).Rows, Is.EqualTo(Rows.Length));
    }

    private static RowSum Sum(params object?[][] rows)
    {
        var sum = new RowSum();
        foreach (object?[] row in rows) sum.Add(row);
        return sum;
    }
}
